/**
 * A real dbus-daemon on a socket of its own, for tests: no host bus is touched.
 *
 * @module
 */

/** A bus that ends with its scope. */
export interface TestBus extends AsyncDisposable {
  readonly socket: string;
}

const CONFIG = `<busconfig>
<type>system</type>
<auth>EXTERNAL</auth>
<policy context="default">
<allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="false"/>
<allow receive_sender="*" eavesdrop="false"/>
</policy>
</busconfig>`;

/** Starts a bus in a directory. */
export async function startBus(directory: string): Promise<TestBus> {
  const socket = `${directory}/bus`;
  const config = `${directory}/bus.conf`;
  await Deno.writeTextFile(
    config,
    CONFIG.replace("<auth>", `<listen>unix:path=${socket}</listen><auth>`),
  );
  const child = new Deno.Command("dbus-daemon", {
    args: [`--config-file=${config}`, "--nofork", "--nopidfile", "--print-address"],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  // The address is printed once the socket listens.
  const reader = child.stdout.getReader();
  await reader.read();
  reader.releaseLock();
  return {
    socket,
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGTERM");
      } catch {
        // it has ended already
      }
      await child.stdout.cancel();
      await child.status;
    },
  };
}

/** A directory that ends with its scope. */
export async function makeDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "vnet-osdns-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
