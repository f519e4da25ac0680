/**
 * The whole login as a person does it: `vnet login`, a real Chromium, a certified provider.
 *
 * @module
 */
import { deepEqual, equal, match } from "node:assert/strict";
import { ChromiumPage } from "../doubles/chromium_page.ts";
import { TestProvider } from "../doubles/oidc_provider.ts";
import { needing } from "../needs.ts";
import { TestCluster } from "./cluster.ts";
import { putConnector } from "./oidc_world.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const PEOPLE = { ann: { preferred_username: "ann", groups: ["developers"] } };

interface Ran extends AsyncDisposable {
  /** Waits for what standard error says. */
  says(form: RegExp): Promise<RegExpExecArray>;
  readonly code: Promise<number>;
}

function vnet(home: string, env: Readonly<Record<string, string>>, args: readonly string[]): Ran {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `${ROOT}main.ts`, ...args],
    env: { VNET_HOME: home, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", DISPLAY: "", ...env },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let said = "";
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  const code = child.status.then((status) => status.code);
  return {
    code,
    says: async (form) => {
      for (;;) {
        const match = form.exec(said);
        if (match !== null) return match;
        const { done, value } = await reader.read();
        if (done) throw new Error(`It said: ${said}`);
        said += value;
      }
    },
    [Symbol.asyncDispose]: async () => {
      try {
        child.kill();
      } catch { /* it has ended */ }
      await reader.cancel();
      await code;
    },
  };
}

/** Fills in the provider's pages as a person does. */
async function logInAs(page: ChromiumPage, login: string): Promise<void> {
  await page.see(`document.querySelector("[name=login]") !== null`);
  await page.see(
    `document.querySelector("[name=login]").value = ${JSON.stringify(login)},
     document.querySelector("[name=password]").value = "any",
     document.querySelector("form").submit(), true`,
  );
  await page.see(
    `document.body?.innerText.includes("Continue") && !document.querySelector("[name=login]")`,
  );
  await page.see(`document.querySelector("form").submit(), true`);
}

Deno.test(needing(
  ["chromium"],
  "vnet login opens a browser, waits for it, and is done when the person is",
  async () => {
    await using provider = await TestProvider.start(PEOPLE);
    await using cluster = await TestCluster.start([]);
    await putConnector(cluster, provider, { device_flow: true });
    const folder = await Deno.makeTempDir({ prefix: "vnet-oidc-" });
    const { host, port } = cluster.address;
    const proxy = `${host}:${port}`;
    const pin = ["--ca-pin", cluster.server.caPin];
    try {
      // What opens browsers writes down what it was told instead
      await Deno.mkdir(`${folder}/bin`);
      const opener = `#!/bin/sh\nprintf '%s\\n' "$@" > ${folder}/opened.tmp\n` +
        `mv ${folder}/opened.tmp ${folder}/opened\n`;
      await Deno.writeTextFile(`${folder}/bin/xdg-open`, opener, { mode: 0o755 });
      const env = { DISPLAY: ":0", PATH: `${folder}/bin:${Deno.env.get("PATH")}` };
      await using page = await ChromiumPage.start(folder);
      {
        await using login = vnet(`${folder}/home`, env, ["login", proxy, ...pin]);
        const [, url = ""] = await login.says(/open this: (http:\S+)/);
        match(url, /^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}$/);
        await page.go(url);
        await logInAs(page, "ann");
        await page.see(`document.body?.innerText.includes("You can close this page")`);
        await login.says(/Logged in to \S+ as ann /);
        equal(await login.code, 0);
        // Nothing that a login is known by is among the arguments of the program that opens
        equal(await Deno.readTextFile(`${folder}/opened`), `${url}\n`);
      }
      const [file] = [...Deno.readDirSync(`${folder}/home/config/profiles`)];
      const path = `${folder}/home/config/profiles/${file?.name}`;
      const profile = JSON.parse(await Deno.readTextFile(path));
      deepEqual([profile.user, profile.auth_connector], ["ann", "corp"]);
      equal((await Deno.stat(path)).mode! & 0o777, 0o600);
      {
        // Elsewhere, with a code; the browser knows the person already
        await using login = vnet(`${folder}/home`, {}, ["login", proxy]);
        const [, url = ""] = await login.says(/The same in one: (https:\S+)/);
        await page.go(url);
        await page.see(
          `document.querySelector("form") !== null && document.querySelector("[name=login]") === null`,
        );
        await page.see(`document.querySelector("[type=submit]").click(), true`);
        await page.see(`document.body?.innerText.includes("Continue")`);
        await page.see(`document.querySelector("form").submit(), true`);
        await login.says(/Logged in to \S+ as ann /);
        equal(await login.code, 0);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
));
