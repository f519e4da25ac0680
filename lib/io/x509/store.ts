/**
 * The certificate authorities that this machine trusts beside the ones built in: a company's own, as curl and OpenSSL
 * find them.
 *
 * @module
 */
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import tls from "node:tls";
import { ConfigError } from "../../error.ts";
import { getLogger } from "../../log.ts";
import { orAborted, withDeadline } from "../../wait.ts";
import { parseCertificate, splitPem } from "./verify.ts";

const log = getLogger("io", "trust");

/** Where distributions keep the machine's authorities; the first file that is there counts, and each directory. */
const BUNDLES: readonly string[] = [
  "/etc/ssl/certs/ca-certificates.crt", // Debian, Ubuntu, Arch, Gentoo
  "/etc/pki/tls/certs/ca-bundle.crt", // Fedora, RHEL
  "/etc/ssl/ca-bundle.pem", // openSUSE
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem", // Alpine
];
const DIRECTORIES: readonly string[] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

/** A file in a directory that may hold an authority: by its hash, as OpenSSL wants it, or by its kind. */
const IN_DIRECTORY = /^[0-9a-f]{8}\.\d+$|\.(?:pem|crt|cer)$/;

const MAX_FILE_BYTES = 4 * 1_048_576;
const MAX_STORE_BYTES = 16 * 1_048_576;
const MAX_FILES = 4096;
/** More make every handshake slow. */
const MAX_AUTHORITIES = 1024;
/** A file system that hangs must not hold up a login. */
const READ_MS = 2_000;
/** Of what `--ca-file` names. */
const MAX_NAMED = 256;

/** Where a store is looked for, if no variable says. */
export interface StorePlaces {
  readonly bundles: readonly string[];
  readonly directories: readonly string[];
}

interface Content {
  /** By what is in them, so that each is there once. */
  readonly all: Map<string, string>;
  readonly named: Map<string, string>;
}

/**
 * The machine's store: `SSL_CERT_FILE` and `SSL_CERT_DIR` (several between colons), each in the place of what the
 * distribution has. It is read at the first question and then kept; what cannot be read is a warning in the log.
 */
export class MachineStore {
  readonly #env: (name: string) => string | undefined;
  readonly #places: StorePlaces;
  #reading: Promise<Content> | null = null;

  constructor(
    env: (name: string) => string | undefined = (name) => Deno.env.get(name),
    places: StorePlaces = { bundles: BUNDLES, directories: DIRECTORIES },
  ) {
    this.#env = env;
    this.#places = places;
  }

  /** Every authority that is not built in, PEM. Never rejects. */
  async pems(): Promise<readonly string[]> {
    return [...(await this.#content()).all.values()];
  }

  /** Those that the variables brought: what a process without them, under `sudo` say, would not know. */
  async named(): Promise<readonly string[]> {
    return [...(await this.#content()).named.values()].slice(0, MAX_NAMED);
  }

  #content(): Promise<Content> {
    return this.#reading ??= this.#read();
  }

  async #read(): Promise<Content> {
    const file = this.#env("SSL_CERT_FILE")?.trim() ?? "";
    const directories = (this.#env("SSL_CERT_DIR") ?? "").split(":").map((text) => text.trim())
      .filter((text) => text !== "");
    const reader = new StoreReader();
    try {
      await withDeadline(READ_MS, null, async (signal) => {
        if (file !== "") await reader.file(file, "named", signal);
        for (const path of directories) await reader.directory(path, "named", signal);
        if (file === "") await reader.firstOf(this.#places.bundles, signal);
        if (directories.length > 0) return;
        for (const path of this.#places.directories) await reader.directory(path, "usual", signal);
      });
    } catch (thrown) {
      warn("the machine's certificates", thrown);
    }
    return reader.content;
  }
}

/** The store of the machine this program runs on. */
export const MACHINE_STORE: MachineStore = new MachineStore();

/** Whether somebody named a place, or it is where things usually are and may be missing. */
type Naming = "named" | "usual";

class StoreReader {
  readonly content: Content = { all: new Map(), named: new Map() };
  readonly #builtIn = new Set(tls.rootCertificates.map(bodyOf));
  readonly #seen = new Set<string>();
  #leftBytes = MAX_STORE_BYTES;

  async firstOf(paths: readonly string[], signal: AbortSignal): Promise<void> {
    for (const path of paths) if (await this.file(path, "usual", signal)) return;
  }

  /** @returns Whether it was read. */
  async file(path: string, naming: Naming, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#take(path, naming, signal);
      return true;
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      if (naming === "named" || !(thrown instanceof Deno.errors.NotFound)) warn(path, thrown);
      return false;
    }
  }

  async directory(path: string, naming: Naming, signal: AbortSignal): Promise<void> {
    try {
      const names = await orAborted(listFiles(path), signal);
      const failures = await Promise.all(
        names.map((name) =>
          this.#take(join(path, name), naming, signal).then(() => null, (thrown: unknown) => thrown)
        ),
      );
      signal.throwIfAborted();
      const failure = failures.find((one) => one !== null);
      if (failure !== undefined && naming === "named") warn(path, failure);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      if (naming === "named" || !(thrown instanceof Deno.errors.NotFound)) warn(path, thrown);
    }
  }

  async #take(path: string, naming: Naming, signal: AbortSignal): Promise<void> {
    if (this.#seen.has(path)) return;
    this.#seen.add(path);
    const text = await orAborted(
      readBounded(path, Math.min(MAX_FILE_BYTES, this.#leftBytes)),
      signal,
    );
    this.#leftBytes -= text.length;
    for (const pem of splitPem(new TextDecoder("latin1").decode(text))) {
      const body = bodyOf(pem);
      if (this.#builtIn.has(body) || this.content.all.has(body) || !isReadable(pem)) continue;
      if (this.content.all.size >= MAX_AUTHORITIES) {
        throw new Error(`more than ${MAX_AUTHORITIES} certificates`);
      }
      this.content.all.set(body, pem);
      if (naming === "named") this.content.named.set(body, pem);
    }
  }
}

/**
 * Reads the certificates of a file that a person named, PEM or DER.
 *
 * @returns Each as PEM; at least one.
 * @throws {ConfigError} when the file cannot be read, or holds none.
 */
export async function readAuthorityFile(path: string): Promise<readonly string[]> {
  const refuse = (found: string, cause?: unknown) =>
    new ConfigError(path, [{ path: "", found, expected: "certificates in PEM form" }], {
      hint: "Name a file with the certificate of the authority that issued the proxy's certificate",
      cause,
    });
  let bytes: Uint8Array;
  try {
    bytes = await withDeadline(
      READ_MS,
      null,
      (signal) => orAborted(readBounded(path, MAX_FILE_BYTES), signal),
    );
  } catch (thrown) {
    throw refuse(reasonOf(thrown), thrown);
  }
  const pems = splitPem(new TextDecoder("latin1").decode(bytes));
  const certificates = (pems.length === 0 ? [bytes] : pems).map((one) => parseCertificate(one));
  const broken = certificates.indexOf(null);
  if (pems.length === 0 && broken >= 0) throw refuse("no certificate");
  if (broken >= 0) throw refuse(`a certificate that cannot be read (number ${broken + 1})`);
  if (pems.length > MAX_NAMED) throw refuse(`more than ${MAX_NAMED} certificates`);
  return certificates.flatMap((one) => one === null ? [] : [one.pem]);
}

/** Whether a certificate may vouch for others. One that may not is still good for itself. */
export function isAuthorityPem(pem: string): boolean {
  try {
    return new X509Certificate(pem).ca;
  } catch {
    return false;
  }
}

function isReadable(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}

/** What is between the lines of a PEM certificate: the same for the same certificate. */
function bodyOf(pem: string): string {
  return pem.replace(/-----[^-]+-----|\s+/g, "");
}

async function listFiles(path: string): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    if (isDirectory || !IN_DIRECTORY.test(name)) continue;
    if (names.push(name) >= MAX_FILES) break;
  }
  return names.sort();
}

/** Reads a file that is one: of a pipe or a device nobody knows when it ends. */
async function readBounded(path: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const { isFile, size } = await Deno.stat(path);
  if (!isFile) throw new Error("no regular file");
  if (size > maxBytes) throw new Error(`larger than ${maxBytes} bytes`);
  using file = await Deno.open(path);
  const bytes = new Uint8Array(size);
  let at = 0;
  while (at < size) {
    const count = await file.read(bytes.subarray(at));
    if (count === null) break;
    at += count;
  }
  return bytes.subarray(0, at);
}

function warn(path: string, thrown: unknown): void {
  log.warning("Cannot read trusted certificates", { path, reason: reasonOf(thrown) });
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof Deno.errors.NotFound) return "no such file";
  if (thrown instanceof Deno.errors.PermissionDenied) return "permission denied";
  return thrown instanceof Error ? thrown.message : String(thrown);
}
