import type { FlowConn } from "../cluster/driver.ts";

/** Standard input and output as a connection. */
export class StdioConn implements FlowConn {
  #isWriteClosed = false;

  read(into: Uint8Array): Promise<number | null> {
    return Deno.stdin.read(into);
  }

  write(bytes: Uint8Array): Promise<number> {
    return Deno.stdout.write(bytes);
  }

  closeWrite(): Promise<void> {
    if (!this.#isWriteClosed) Deno.stdout.close();
    this.#isWriteClosed = true;
    return Promise.resolve();
  }

  close(): void {
    void this.closeWrite();
    try {
      Deno.stdin.close();
    } catch {
      // it was closed already
    }
  }
}
