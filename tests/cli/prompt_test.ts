import { equal, ok } from "node:assert/strict";
import { serveControl } from "../../lib/client/control/server.ts";
import { until, withDaemon } from "../doubles/memory_client.ts";
import { Screen } from "./screen.ts";

const PROGRAM = new URL("./answer_daemon.ts", import.meta.url).pathname;

Deno.test("the terminal of vnet up asks for the next login where one is over, and shows no password", () =>
  withDaemon({}, async ({ daemon, ask, connectTo, cluster, clock, options }) => {
    await using _control = await serveControl(options.paths.controlSocket, daemon);
    await using screen = new Screen([
      ...[Deno.execPath(), "run", "-A", "--no-check", PROGRAM, options.paths.controlSocket],
    ]);
    const address = await ask("db.memory.test");
    cluster.wantsCode = true;
    clock.nowMs += cluster.lifeMs;
    const held = connectTo(address, 5432);
    await screen.sees(/The login to memory\.test has ended\./);
    await screen.sees(/Password of alice at memory\.test\?.*:/);
    await screen.type("not quite, oops\x15no\x7f\x7fwrong\r");
    await screen.sees(/User name or password is wrong \[login-failed\]/);
    await screen.sees(/Password of alice/);
    await screen.type(`${cluster.password}\r`);
    await screen.sees(/Code of your authenticator\?/);
    await screen.type("12 34\n");
    await screen.sees(/A code has 6 to 8 digits/);
    await screen.type("123456\n");
    await screen.sees(/Logged in to memory\.test; the login ends/);
    equal((await held).kind, "connected");

    // Once more, and answered from another shell.
    clock.nowMs += cluster.lifeMs;
    const again = connectTo(address, 5432);
    await screen.sees(/Password of alice/);
    await daemon.logInAgain({ proxy: "memory.test", password: cluster.password, totp: "123456" });
    await screen.sees(/memory\.test: logged in elsewhere/);
    equal((await again).kind, "connected");

    // And declined.
    clock.nowMs += cluster.lifeMs;
    const refused = connectTo(address, 5432);
    await screen.sees(/Password of alice/);
    await screen.type("\r");
    await screen.sees(/To log in later, run: vnet login memory\.test --user alice/);
    equal((await refused).kind, "refused");
    await until(() => daemon.questions.logins.list().length === 0);
    for (const typed of [cluster.password, "not quite", "nowrong"]) {
      ok(!screen.all.includes(typed), `the screen shows "${typed}"`);
    }
  }));

Deno.test("a line that is typed when nobody asks any more is the next reader's", async () => {
  const program = new URL("./ask_in_vain.ts", import.meta.url).pathname;
  await using screen = new Screen([Deno.execPath(), "run", "-A", "--no-check", program]);
  await screen.sees(/in vain/);
  await screen.type("for the command\n");
  await screen.sees(/standard input: for the command/);
});
