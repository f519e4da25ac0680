/** Asks at its terminal what a daemon wants to know: the prompt of `vnet up` alone. Its argument is the control socket. */
import { answerDaemon } from "../../lib/cli/prompt/questions.ts";
import { thisMachine } from "../../lib/os/mod.ts";

const [controlSocket = ""] = Deno.args;
const paths = { configDir: "", stateDir: "", runtimeDir: "", controlSocket, appSocket: "" };
const ending = new AbortController();
Deno.addSignalListener("SIGTERM", () => ending.abort());
await answerDaemon({
  machine: () => Promise.resolve(thisMachine()),
  stderr: (text) => Deno.stderr.writeSync(new TextEncoder().encode(text)),
  nowMs: Date.now,
  paths,
}, ending.signal);
