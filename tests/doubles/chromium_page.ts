/**
 * A page of a real Chromium without a screen, driven over its DevTools protocol.
 *
 * @module
 */
import { pause } from "../../lib/wait.ts";

const FLAGS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
  // Tests' authorities are in no store of its own
  ...["--ignore-certificate-errors", "--remote-debugging-port=0"],
];
const LIMIT_MS = 60_000;

export class ChromiumPage implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (result: unknown) => void>();
  #calls = 0;

  private constructor(child: Deno.ChildProcess, socket: WebSocket) {
    this.#child = child;
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const { id, result } = JSON.parse(data) as { id?: number; result?: unknown };
      if (id !== undefined) this.#answers.get(id)?.(result);
    };
  }

  /** @param directory For its profile. */
  static async start(directory: string): Promise<ChromiumPage> {
    const child = new Deno.Command("chromium", {
      args: [...FLAGS, `--user-data-dir=${directory}/profile`, "about:blank"],
      env: { TMPDIR: directory, HOME: directory },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const port = await until(async () => {
      const text = await Deno.readTextFile(`${directory}/profile/DevToolsActivePort`)
        .catch(() => "");
      return text.includes("\n") ? text.split("\n")[0]! : null;
    });
    const url = await until(async () => {
      const response = await fetch(`http://127.0.0.1:${port}/json/list`).catch(() => null);
      const pages = await response?.json() as { type: string; webSocketDebuggerUrl: string }[];
      return pages?.find(({ type }) => type === "page")?.webSocketDebuggerUrl ?? null;
    });
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    return new ChromiumPage(child, socket);
  }

  async go(url: string): Promise<void> {
    await this.#call("Page.navigate", { url });
  }

  /** Waits until an expression of the page's is true or another value, and gives that. */
  async see<T>(expression: string): Promise<T> {
    return await until(async () => {
      const { result } = await this.#call("Runtime.evaluate", {
        expression,
        returnByValue: true,
      }) as { readonly result?: { readonly value?: T } };
      const value = result?.value;
      return value === undefined || value === null || value === false || value === ""
        ? null
        : value;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.onclose = resolve);
    await Promise.race([this.#call("Browser.close", {}), closed]);
    this.#socket.close();
    await closed;
    await this.#child.status;
  }

  #call(method: string, params: unknown): Promise<unknown> {
    const id = ++this.#calls;
    return new Promise((resolve) => {
      this.#answers.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }
}

async function until<T>(look: () => Promise<T | null>): Promise<T> {
  const limit = AbortSignal.timeout(LIMIT_MS);
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (limit.aborted) throw new Error("It did not come");
    await pause(50, limit);
  }
}
