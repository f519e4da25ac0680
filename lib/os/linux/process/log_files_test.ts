import { equal, ok } from "node:assert/strict";
import { keepLogs, trimLog } from "./log_files.ts";

async function withDirectory(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("trimLog() keeps the last whole lines in one old file, and the writer goes on", async () => {
  await withDirectory(async (directory) => {
    const path = `${directory}/daemon.log`;
    using writer = Deno.openSync(path, { append: true, create: true });
    const say = (text: string) => writer.writeSync(new TextEncoder().encode(text));
    say("first\n");
    equal(await trimLog(path, 16), false);
    say("second\nthird\nfourth\n");
    equal(await trimLog(path, 16), true);
    equal(await Deno.readTextFile(path), "");
    equal(await Deno.readTextFile(`${path}.1`), "third\nfourth\n");
    say("fifth\nsixth\nseventh\n");
    equal(await trimLog(path, 16), true);
    equal(await Deno.readTextFile(`${path}.1`), "sixth\nseventh\n");
    say("eighth\n");
    equal(await Deno.readTextFile(path), "eighth\n");
    const { mode } = await Deno.stat(`${path}.1`);
    equal((mode ?? 0) & 0o777, 0o640);
    equal([...Deno.readDirSync(directory)].length, 2);
  });
});

Deno.test("trimLog() follows no link, neither to the log nor from the old one", async () => {
  await withDirectory(async (directory) => {
    const long = "precious\n".repeat(8);
    await Deno.writeTextFile(`${directory}/precious`, long);
    await Deno.symlink(`${directory}/precious`, `${directory}/link.log`);
    equal(await trimLog(`${directory}/link.log`, 16), false);
    await Deno.symlink(`${directory}/precious`, `${directory}/real.log.1`);
    await Deno.symlink(`${directory}/precious`, `${directory}/real.log.1.tmp`);
    await Deno.writeTextFile(`${directory}/real.log`, long);
    equal(await trimLog(`${directory}/real.log`, 16), true);
    equal(await Deno.readTextFile(`${directory}/precious`), long);
    ok((await Deno.lstat(`${directory}/real.log.1`)).isFile);
    equal(await trimLog(`${directory}/none.log`, 16), false);
  });
});

Deno.test("keepLogs() trims while others write, until it is told to end", async () => {
  await withDirectory(async (directory) => {
    const path = `${directory}/helper.log`;
    await Deno.writeTextFile(path, "");
    const old = Deno.watchFs(directory);
    const stop = new AbortController();
    const keeping = keepLogs([path], stop.signal, 16);
    await Deno.writeTextFile(path, "0123456789\n0123456789\n", { append: true });
    for await (const { paths } of old) {
      if (paths.some((changed) => changed.endsWith("helper.log.1"))) break;
    }
    stop.abort();
    await keeping;
    equal(await Deno.readTextFile(`${path}.1`), "0123456789\n");
  });
});
