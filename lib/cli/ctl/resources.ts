import { stringify } from "yaml";
import {
  readResources,
  type Resource,
  RESOURCE_KINDS,
  type ResourceDocument,
} from "../../config/mod.ts";
import { ConfigError, type ConfigMistake, UsageError } from "../../error.ts";
import { printable } from "../../printable.ts";
import { readConfigFile } from "../../io/files.ts";
import type { AdminClient, AdminResponse } from "../../server/mod.ts";
import { type Context, printJson, tell } from "../context.ts";
import { EXIT } from "../exit.ts";
import { type Form, openAdmin } from "./open.ts";
import { parseOneResource, parseWhat } from "./what.ts";

const STDIN_MAX_BYTES = 4 * 1024 * 1024;

type Put = AdminResponse<"resources.apply">["results"][number];

export async function create(
  context: Context,
  options: { readonly file: string; readonly replace: boolean },
): Promise<number> {
  const isStdin = options.file === "-";
  const text = isStdin ? await readStdin() : await readConfigFile(options.file);
  const file = isStdin ? "standard input" : options.file;
  const documents = readResources(text, file);
  using admin = await openAdmin(context);
  const results = await putDocuments(admin, documents, { file, replace: options.replace });
  for (const { kind, name, outcome } of results) {
    context.stdout(`${printable(`${kind}/${name} ${outcome}`)}\n`);
  }
  return EXIT.done;
}

/**
 * Puts all documents of a file, or none.
 *
 * @throws {ConfigError} With every mistake: of each document for itself, and of what stands in it against what the
 * cluster has. Its code is that of the mistakes if they are of one kind.
 */
export async function putDocuments(
  admin: AdminClient,
  documents: readonly ResourceDocument[],
  { file, replace, checkOnly = false }: {
    readonly file: string;
    readonly replace: boolean;
    /** Nothing is written. */
    readonly checkOnly?: boolean;
  },
): Promise<readonly Put[]> {
  const good: { readonly at: number; readonly resource: Resource }[] = [];
  const found: { readonly at: number; readonly code: string; readonly mistake: ConfigMistake }[] =
    [];
  documents.forEach(({ checked }, at) => {
    if (checked.kind === "good") good.push({ at, resource: checked.value });
    else {for (const mistake of checked.mistakes) {
        found.push({ at, code: "config-invalid", mistake });
      }}
  });
  const { results, mistakes } = await admin.call("resources.apply", {
    resources: good.map(({ resource }) => resource),
    replace,
    check_only: checkOnly || found.length > 0,
    also_named: documents.flatMap(({ checked, named }) =>
      checked.kind === "bad" && named !== null ? [named] : []
    ),
  });
  for (const { index, code, path, found: what, expected } of mistakes) {
    const { at } = good[index]!;
    found.push({ at, code, mistake: documents[at]!.mistake(path, what, expected) });
  }
  if (found.length === 0) return results;
  found.sort((a, b) => a.at - b.at);
  const codes = new Set(found.map(({ code }) => code));
  const [code = "config-invalid"] = codes;
  throw new ConfigError(file, found.map(({ mistake }) => mistake), {
    code: codes.size === 1 ? code : "config-invalid",
    hint: "Nothing was written. Correct the file; docs/configuration.md has every key",
  });
}

export async function get(
  context: Context,
  options: {
    readonly what: string;
    readonly name: string | undefined;
    readonly format: Form;
  },
): Promise<number> {
  const { kind, name } = parseWhat(options.what, options.name);
  using admin = await openAdmin(context);
  const { resources } = await admin.call(
    "resources.get",
    name === undefined ? { kind } : { kind, name },
  );
  if (options.format === "json") {
    printJson(context, { schema: "vnet.ctl-resources/1", resources });
  } else if (resources.length === 0) tell(context, `There is no ${kind}`);
  else context.stdout(resources.map((resource) => stringify(resource)).join("---\n"));
  return EXIT.done;
}

export async function remove(
  context: Context,
  options: { readonly what: string; readonly name: string | undefined },
): Promise<number> {
  const { kind, name } = parseOneResource(options.what, options.name, "remove");
  using admin = await openAdmin(context);
  await admin.call("resources.remove", { kind, name });
  tell(context, `Removed ${kind}/${name}`);
  return EXIT.done;
}

async function readStdin(): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of Deno.stdin.readable) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > STDIN_MAX_BYTES) {
      throw new UsageError(
        "usage",
        `Cannot read more than ${STDIN_MAX_BYTES} bytes from standard input`,
        { hint: `Split it; ${RESOURCE_KINDS.join(", ")} may stand in files of their own` },
      );
    }
  }
  return await new Blob(chunks as BlobPart[]).text();
}
