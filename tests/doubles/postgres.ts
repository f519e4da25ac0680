/**
 * A real PostgreSQL server in a folder of its own, on loopback and on a Unix socket there: for tests, of Debian's
 * package. What is written is not waited for; a test that kills it starts it again with what it had.
 *
 * @module
 */
import type { PostgresConfig } from "../../lib/config/mod.ts";
import { isThere } from "../../scripts/setup/machine.ts";

const FOLDERS = "/usr/lib/postgresql";
/** Whom everything belongs to. */
const OWNER = "vnet";
const READY_MS = 60_000;

/** What a test that starts one needs, for `needing()`. */
export const POSTGRES: readonly string[] = findPrograms() === null ? ["postgres"] : [];

export class PostgresServer implements AsyncDisposable {
  readonly folder: string;
  readonly port: number;
  readonly #programs: string;
  readonly #as: { readonly uid?: number; readonly gid?: number };
  #process: Deno.ChildProcess | null = null;
  #databases = 0;

  private constructor(
    made: {
      readonly folder: string;
      readonly port: number;
      readonly programs: string;
      readonly as: { readonly uid?: number; readonly gid?: number };
    },
  ) {
    this.folder = made.folder;
    this.port = made.port;
    this.#programs = made.programs;
    this.#as = made.as;
  }

  /** @param settings What it is started with, as `name=value`. */
  static async start(settings: readonly string[] = []): Promise<PostgresServer> {
    const programs = findPrograms();
    if (programs === null) throw new Error("There is no PostgreSQL");
    const as = await ownerOf();
    const folder = await Deno.makeTempDir({ prefix: "vnet-postgres-" });
    if (as.uid !== undefined) await Deno.chown(folder, as.uid, as.gid ?? null);
    const server = new PostgresServer({ folder, port: freePort(), programs, as });
    try {
      await server.#run("initdb", [
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
        `--username=${OWNER}`,
        `${folder}/data`,
      ]);
      await server.write(
        "postgresql.auto.conf",
        [
          `port=${server.port}`,
          "listen_addresses='127.0.0.1'",
          `unix_socket_directories='${folder}'`,
          "unix_socket_permissions=0777",
          "fsync=off",
          "max_connections=60",
          "shared_buffers=16MB",
          ...settings,
        ].map((line) => `${line}\n`).join(""),
      );
      await Deno.chmod(folder, 0o711);
      await server.resume();
      return server;
    } catch (thrown) {
      await server[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** Makes an empty database. @returns How it is reached: by the Unix socket, without a password. */
  async database(): Promise<PostgresConfig> {
    const database = `test${++this.#databases}`;
    await this.sql(`CREATE DATABASE ${database} TEMPLATE template0`);
    return this.config(database);
  }

  /** How a database is reached, whether it is there or not. */
  config(database: string): PostgresConfig {
    const where = { host: this.folder, port: this.port, passwordFile: null, caFile: null };
    return { ...where, database, user: OWNER, tls: false };
  }

  /** Runs SQL as the owner of everything. @returns What psql prints, without decoration. */
  async sql(text: string, database = "postgres"): Promise<string> {
    return await this.#run("psql", [
      "-XAtq",
      "-v",
      "ON_ERROR_STOP=1",
      "-h",
      this.folder,
      "-p",
      `${this.port}`,
      "-U",
      OWNER,
      "-c",
      text,
      database,
    ]);
  }

  /** Writes a file of its configuration, which only it may read; `reload` or a start takes it over. */
  async write(name: string, text: string): Promise<string> {
    const path = `${this.folder}/data/${name}`;
    await Deno.writeTextFile(path, text, { mode: 0o600 });
    if (this.#as.uid !== undefined) await Deno.chown(path, this.#as.uid, this.#as.gid ?? null);
    return path;
  }

  reload(): void {
    this.#process?.kill("SIGHUP");
  }

  /** Kills it, and every process that serves for it, and waits until they are gone. */
  async kill(): Promise<void> {
    // Nothing may be born meanwhile
    this.#process?.kill("SIGSTOP");
    const children = await this.#children();
    this.#process?.kill("SIGKILL");
    for (const pid of children) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
    await this.#process?.status;
    this.#process = null;
    // One that is still dying holds the shared memory, and a new server would refuse to start
    const untilMs = performance.now() + READY_MS;
    while ((await Promise.all(children.map(isAlive))).includes(true)) {
      if (performance.now() > untilMs) throw new Error("PostgreSQL does not end");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Starts it again after `kill`, or for the first time, and waits until it answers. */
  async resume(): Promise<void> {
    const untilMs = performance.now() + READY_MS;
    let isRunning = false;
    for (;;) {
      // It ends by itself where the one before has left something that is not gone yet
      if (!isRunning) {
        isRunning = true;
        this.#process = this.#spawn();
        this.#process.status.then(() => isRunning = false);
      }
      if (await this.#isReady()) return;
      if (performance.now() > untilMs) throw new Error("PostgreSQL does not answer");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  #spawn(): Deno.ChildProcess {
    return new Deno.Command(`${this.#programs}/postgres`, {
      args: ["-D", `${this.folder}/data`],
      ...this.#as,
      cwd: this.folder,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // At once, for connections that a test left open do not matter any more
    try {
      this.#process?.kill("SIGINT");
    } catch {
      // It has ended by itself.
    }
    await this.#process?.status;
    await Deno.remove(this.folder, { recursive: true });
  }

  async #isReady(): Promise<boolean> {
    const { code } = await this.#command("pg_isready", [
      "-q",
      "-h",
      this.folder,
      "-p",
      `${this.port}`,
    ]).output();
    return code === 0;
  }

  async #children(): Promise<number[]> {
    const { pid } = this.#process ?? {};
    if (pid === undefined) return [];
    const text = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`);
    return text.split(" ").filter(Boolean).map(Number);
  }

  async #run(program: string, args: readonly string[]): Promise<string> {
    const { success, stdout, stderr } = await this.#command(program, args).output();
    const decoder = new TextDecoder();
    if (!success) throw new Error(`${program} failed: ${decoder.decode(stderr)}`);
    return decoder.decode(stdout).trim();
  }

  #command(program: string, args: readonly string[]): Deno.Command {
    return new Deno.Command(`${this.#programs}/${program}`, {
      args: [...args],
      ...this.#as,
      cwd: this.folder,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  }
}

/** Whether a process runs; one that has ended may still be listed. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}

/** @returns The folder of the newest PostgreSQL of the distribution, or the one that PATH leads to. */
function findPrograms(): string | null {
  const versions: number[] = [];
  try {
    for (const { name } of Deno.readDirSync(FOLDERS)) versions.push(Number(name));
  } catch {
    // The distribution keeps it elsewhere.
  }
  const [newest] = versions.sort((a, b) => b - a);
  const folders = [...(newest === undefined ? [] : [`${FOLDERS}/${newest}/bin`]), "/usr/bin"];
  return folders.find((folder) => isThere(`${folder}/postgres`)) ?? null;
}

/** PostgreSQL does not run as root: its own user does, or nobody. */
async function ownerOf(): Promise<{ readonly uid?: number; readonly gid?: number }> {
  if (Deno.uid() !== 0) return {};
  const lines = (await Deno.readTextFile("/etc/passwd")).split("\n").map((line) => line.split(":"));
  for (const name of ["postgres", "nobody"]) {
    const found = lines.find(([user]) => user === name);
    if (found !== undefined) return { uid: Number(found[2]), gid: Number(found[3]) };
  }
  throw new Error("There is neither postgres nor nobody");
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
