/**
 * What `vnet service install` did, so that `uninstall` takes back that and nothing else: the files with the hash of
 * what was written, and whether the group was there before.
 *
 * @module
 */
import { z } from "zod";
import { describeError, VnetError } from "../../error.ts";

const RECEIPT = "/var/lib/vnet/service.json";

const ReceiptSchema = z.object({
  v: z.literal(1),
  files: z.array(z.object({ path: z.string(), sha256: z.string() })).max(256),
  group_made: z.boolean(),
  users: z.array(z.string()).max(128),
  polkit: z.boolean().default(false),
});

/** Parsed; the file's own names. */
export type Receipt = z.infer<typeof ReceiptSchema>;

/** Of a machine where nothing is installed. */
export const NO_RECEIPT: Receipt = { v: 1, files: [], group_made: false, users: [], polkit: false };

/** @returns The receipt; `null` where nothing was installed. @throws VnetError `service-receipt-damaged` */
export async function readReceipt(): Promise<Receipt | null> {
  const text = await Deno.readTextFile(RECEIPT).catch((thrown) => {
    if (thrown instanceof Deno.errors.NotFound) return null;
    throw thrown;
  });
  if (text === null) return null;
  try {
    return ReceiptSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new VnetError(
      "service-receipt-damaged",
      `Cannot read "${RECEIPT}": ${describeError(cause).split("\n")[0]}`,
      {
        hint: "Look at it; `vnet help operations service` lists the files to remove by hand",
        cause,
      },
    );
  }
}

/** Keeps the receipt; readable for everybody, as the files themselves are. */
export async function writeReceipt(receipt: Receipt): Promise<void> {
  await Deno.mkdir("/var/lib/vnet", { recursive: true, mode: 0o711 });
  const temporary = `${RECEIPT}.new`;
  await Deno.writeTextFile(temporary, `${JSON.stringify(receipt, null, 2)}\n`, { mode: 0o644 });
  await Deno.chmod(temporary, 0o644);
  await Deno.rename(temporary, RECEIPT);
}

export async function dropReceipt(): Promise<void> {
  await Deno.remove(RECEIPT).catch((thrown) => {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  });
}
