/** The pages, typed as they are: an admin at a server, an agent in a private network, a user at a machine. */
import { equal, ok } from "node:assert/strict";
import { markedBlocks } from "../../docs/marks.ts";
import { type Page, readPages } from "../../docs/pages.ts";
import { GuidePlayer, type Place } from "../check/guide_player.ts";
import type { Host } from "../host/host.ts";
import type { Lab } from "../host/lab.ts";
import { ACME_TOOLS, story } from "../host/needs.ts";
import { buildPacked } from "../world/packed.ts";
import { here } from "../host/paths.ts";
import {
  ACME_HOST,
  startAcme,
  startNginx,
  startPostgres,
  startRedis,
  startResolver,
  trustAuthority,
} from "../world/services.ts";
import { until } from "../host/wait.ts";
import { openHosts } from "../world/world.ts";

const UID = 12_345;

/** In the order a newcomer reads them; the rest follows by name. */
const FIRST = ["docs/cluster.md", "docs/getting-started.md", "docs/doctor.md", "README.md"];
const LAST = ["docs/getting-started.md", "README.md", "docs/cluster.md"];

story("guides: the pages for a clone", async (step, lab) => {
  const host = await lab.host("clone");
  await installNpx(host);
  const player = new GuidePlayer(
    { clone: { host, directory: here("../..") } },
    (name) => lab.log(name),
    () => Promise.reject(new Error("Nothing stays")),
  );
  await playAll(await readPages(), step, player, (place) => place === "clone");
});

story(
  "guides: the pages for an admin, an agent and a user",
  async (step, lab) => {
    const { proxy, resolver, agent, client } = await openHosts(lab);
    const program = await buildPacked();
    await startResolver(lab, resolver, [
      "--host-record=teleport.example.com,203.0.113.10",
      `--host-record=${ACME_HOST},203.0.113.53`,
    ]);
    await Promise.all([
      startAcme(lab, resolver).then((pem) => trustAuthority(proxy, pem)),
      startPostgres(lab, agent),
      startNginx(lab, agent),
      startRedis(lab, agent),
      ...[proxy, agent, client].map((host) => install(host, program)),
    ]);
    const places = {
      admin: root(proxy),
      agent: root(agent),
      alice: await openUser(client),
    };
    const player = new GuidePlayer(
      places,
      (name) => lab.log(name),
      async (command, process, log) => {
        await until(`${command} serves`, 20_000, async () => {
          if (process.ended) throw new Error(`${command} ended; its log says why`);
          return (await Deno.readTextFile(log).catch(() => "")).includes("Serving");
        });
        if (command.includes("agent start")) await agentConnected(lab);
      },
    );
    await playAll(await readPages(), step, player, (place) => Object.hasOwn(places, place));
  },
  null,
  ACME_TOOLS,
);

/** Plays every marked block of the pages for some places; those that take away at the end. */
async function playAll(
  pages: readonly Page[],
  step: (name: string, run: () => Promise<void>) => Promise<void>,
  player: GuidePlayer,
  isHere: (place: string) => boolean,
): Promise<void> {
  const blocks = pages.flatMap(markedBlocks).flatMap((block) => {
    const { mark } = block;
    return mark !== null && mark.kind !== "not run" && isHere(mark.place)
      ? [{ block, last: mark.kind === "run" && mark.last }]
      : [];
  });
  const ordered = (last: boolean, order: readonly string[]) =>
    [...order, ...pages.map(({ path }) => path).filter((path) => !order.includes(path))]
      .map((page) => ({
        page,
        chosen: blocks.filter(({ block, last: isLast }) => block.page === page && isLast === last),
      }))
      .filter(({ chosen }) => chosen.length > 0);
  for (const { page, chosen } of [...ordered(false, FIRST), ...ordered(true, LAST)]) {
    await step(page, async () => {
      for (const { block } of chosen) await player.play(block);
    });
  }
  ok(blocks.length > 0);
  equal(player.played, blocks.length, "every block was played");
}

async function agentConnected(lab: Lab): Promise<void> {
  await until("the agent is connected", 20_000, async () => {
    const text = await Deno.readTextFile(lab.log("guide-admin"));
    return text.includes("An agent is connected");
  });
}

function root(host: Host): Place {
  return { host, directory: "/home/root" };
}

/** A user who may use sudo. */
async function openUser(host: Host): Promise<Place> {
  await host.script(`
    useradd --create-home --home-dir /home/alice --uid ${UID} --shell /bin/sh alice
    install -d -o alice -g alice -m 700 /run/user/${UID}
    mount -t tmpfs -o mode=755 devices /dev/net
    mknod -m 666 /dev/net/tun c 10 200
    echo 'alice ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/alice
  `);
  const env = { HOME: "/home/alice", USER: "alice", XDG_RUNTIME_DIR: `/run/user/${UID}` };
  return { host, user: "alice", directory: "/home/alice", env };
}

/** Puts vnet where README's installation puts it; this machine's own folder is not written to. */
async function install(host: Host, program: string): Promise<void> {
  await coverLocalBin(host);
  // On a newcomer's machine it is there already.
  const script = '[ "$1" -ef "$2" ] || install -m 755 "$1" "$2"';
  await host.run(["sh", "-euc", script, "sh", program, "/usr/local/bin/vnet"]);
}

/** A host has no network to fetch Deno by: there, npx starts the one the tests run with. */
async function installNpx(host: Host): Promise<void> {
  await coverLocalBin(host);
  const npx = '#!/bin/sh\n[ "$1 $2" = "-y deno@2.9.5" ] || exit 127\nshift 2\nexec deno "$@"\n';
  await host.run(["sh", "-euc", "cat >/usr/local/bin/npx; chmod 755 /usr/local/bin/npx"], {
    stdin: npx,
  });
}

async function coverLocalBin(host: Host): Promise<void> {
  await host.script(`
    mkdir -p /run/local/upper /run/local/work
    mount -t overlay -o lowerdir=/usr/local/bin,upperdir=/run/local/upper,workdir=/run/local/work overlay /usr/local/bin
  `);
}
