/** A certificate of an ACME authority, got and renewed as docs/operations.md says, under a server that runs. */
import { equal, match, notEqual, ok } from "node:assert/strict";
import { markedBlocks } from "../../docs/marks.ts";
import { readPages } from "../../docs/pages.ts";
import { GuidePlayer } from "../check/guide_player.ts";
import { ACME_TOOLS, story } from "../host/needs.ts";
import { until } from "../host/wait.ts";
import { ACME_HOST, startAcme, startResolver, trustAuthority } from "../world/services.ts";
import { Vnet } from "../world/vnet.ts";
import { openHosts } from "../world/world.ts";

const HOST = "teleport.example.com";
const FILE = "/etc/vnet/tls/cert.pem";
/** Two looks of ten seconds at the files, and a slow machine. */
const TAKEN_MS = 45_000;

story(
  "acme: a renewed certificate is shown while the server runs",
  async (step, lab) => {
    const { proxy, resolver } = await openHosts(lab);
    await startResolver(lab, resolver, [
      `--host-record=${HOST},203.0.113.10`,
      `--host-record=${ACME_HOST},203.0.113.53`,
    ]);
    await trustAuthority(proxy, await startAcme(lab, resolver));
    const page = (await readPages()).find(({ path }) => path === "docs/operations.md");
    const blocks = markedBlocks(page!);
    const player = new GuidePlayer(
      { admin: { host: proxy, directory: "/home/root" } },
      (name) => lab.log(name),
      () => Promise.reject(new Error("Nothing stays")),
    );
    const play = async (...words: readonly string[]) => {
      for (const word of words) {
        const block = blocks.find(({ mark, text }) => mark !== null && text.includes(word));
        ok(block, `the page has a block with "${word}"`);
        await player.play(block);
      }
    };
    const serialOf = async (command: string) => {
      const { stdout } = await proxy.run(["sh", "-c", command], { expect: "any", quiet: true });
      return /serial=(\w+)/.exec(stdout)?.[1] ?? "";
    };
    const inFile = () => serialOf(`openssl x509 -noout -serial -in ${FILE}`);
    const shown = () =>
      serialOf(
        `echo | openssl s_client -connect ${HOST}:443 -servername ${HOST} 2>&1 | openssl x509 -noout -serial`,
      );
    const taken = async () => {
      const wanted = await inFile();
      await until("the new certificate is shown", TAKEN_MS, async () => await shown() === wanted);
    };

    await step("certbot gets one, the hook hands it over, the server shows it", async () => {
      await play("RENEWED_LINEAGE", "groupadd", "certbot certonly");
      const yaml = blocks.find(({ language, text }) =>
        language === "yaml" && text.includes("https_keypairs")
      );
      await proxy.run(["sh", "-c", "cat >/etc/vnet/server.yaml"], { stdin: yaml!.text });
      new Vnet(proxy).start(["server", "start"], lab.log("server"));
      await proxy.listening(443, 20_000);
      equal(await shown(), await inFile());
    });

    await step("lego gets another, and the server shows it without a restart", async () => {
      const before = await inFile();
      await play("lego --path");
      notEqual(await inFile(), before);
      await taken();
    });

    await step("certbot renews with the same hook", async () => {
      const before = await inFile();
      await proxy.run(["certbot", "renew", "--force-renewal", "--no-random-sleep-on-renew"], {
        timeoutMs: 60_000,
      });
      notEqual(await inFile(), before);
      await taken();
      const { stdout } = await new Vnet(proxy).run(["ctl", "status"]);
      match(
        stdout,
        /^web {6}certificate for teleport\.example\.com, from \/etc\/vnet\/tls\/cert\.pem$/m,
      );
      equal(stdout.includes("problem"), false);
    });
  },
  null,
  ACME_TOOLS,
);
