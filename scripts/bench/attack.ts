/**
 * Logins and connections while strangers attack, beside the same without an attack, in one run: a server on loopback,
 * users who have logged in before, users who have not, and in another process hundreds of sources that open
 * connections and say nothing, or guess passwords.
 *
 *     deno task bench:attack [--seconds 8]
 *
 * @module
 */
// deno-lint-ignore-file no-console -- a command of the developer's
import { parseArgs } from "node:util";
import { Attack, stranger } from "../../tests/e2e/attack.ts";
import { BALANCER, dialFrom } from "../../tests/e2e/balanced.ts";
import {
  app,
  carriesHello,
  echoServer,
  type Login,
  PROXY_HOST,
  TestCluster,
} from "../../tests/e2e/cluster.ts";
import type { ServerSettings } from "../../lib/io/mod.ts";

const SOURCES = 400;
const USERS = 40;
/** The cost of a password where nobody says another. */
const COST = { logN: 15, r: 8, p: 3 };

const KINDS = ["nobody", "silent", "guesses", "both"] as const;
type Kind = (typeof KINDS)[number];

interface Figures {
  readonly logins: number;
  readonly connects: number[];
  readonly newcomers: { tried: number; in: number };
}

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "8" },
    attack: { type: "string" },
    port: { type: "string" },
    pin: { type: "string" },
  },
});

if (values.attack !== undefined) await attack(values.attack as Kind);
else await measureAll(Number(values.seconds) * 1000);

async function measureAll(forMs: number): Promise<void> {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([app("echo", echo.port)], {
    trustedProxies: [`${BALANCER}/32`],
    passwordCost: COST,
  });
  for (let i = 0; i < USERS; i++) await cluster.addUser(`user${i}`, ["dev"]);
  // Many users of one host: each waits until it may try again
  for (let i = 0; i < USERS; i++) {
    cluster.clock.nowMs += 2000;
    await cluster.login(`user${i}`);
  }
  const aheadMs = cluster.clock.nowMs - Date.now();
  const ticking = setInterval(() => cluster.clock.nowMs = Date.now() + aheadMs, 20);
  using _clock = { [Symbol.dispose]: () => clearInterval(ticking) };
  const login = await cluster.login();
  const found = new Map<Kind, Figures>();
  for (const kind of KINDS) {
    await using _attackers = kind === "nobody" ? null : await startAttack(kind, cluster);
    found.set(kind, await measure(cluster, { login, port: echo.port, forMs }));
    print(kind, found.get(kind)!, forMs);
  }
  const calm = found.get("nobody")!;
  for (const kind of KINDS.slice(1)) {
    const { logins, connects } = found.get(kind)!;
    console.log(`logins_${kind}/nobody ${(logins / calm.logins).toFixed(2)}`);
    console.log(`connect_p99_${kind}/nobody ${(p99(connects) / p99(calm.connects)).toFixed(2)}`);
  }
}

/** Logs in, connects and comes anew, each in turn, for so long. */
async function measure(
  cluster: TestCluster,
  { login, port, forMs }: { login: Login; port: number; forMs: number },
): Promise<Figures> {
  const endMs = performance.now() + forMs;
  const connects: number[] = [];
  const newcomers = { tried: 0, in: 0 };
  let logins = 0;
  const target = await cluster.target("echo", { login, port });
  const isOver = () => performance.now() >= endMs;
  await Promise.all([
    ...[0, 1].map(async (lane) => {
      for (let i = lane; !isOver(); i += 2) {
        await cluster.login(`user${i % USERS}`);
        logins++;
      }
    }),
    (async () => {
      while (!isOver()) {
        const pool = cluster.pool();
        const startMs = performance.now();
        await carriesHello(pool, target).finally(() => pool.close());
        connects.push(performance.now() - startMs);
      }
    })(),
    (async () => {
      await using one = new Attack();
      for (let i = 0; !isOver(); i++) {
        // A wrong password that is told to be wrong: it was tried, so the right one would have been good
        const dial = dialFrom(`198.18.${i % 250}.1`, cluster.address);
        newcomers.tried++;
        if (await one.guess(cluster.settings({ dial }), `new${i}`) === "login-failed") {
          newcomers.in++;
        }
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    })(),
  ]);
  return { logins, connects, newcomers };
}

async function startAttack(kind: Kind, cluster: TestCluster): Promise<AsyncDisposable> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", new URL(import.meta.url).pathname, "--attack", kind],
      ...["--port", `${cluster.address.port}`, "--pin", cluster.server.caPin],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines = child.stdout.getReader();
  await lines.read(); // it has begun
  return {
    [Symbol.asyncDispose]: async () => {
      await child.stdin.close();
      const { value } = await lines.read();
      console.log(`  attack: ${new TextDecoder().decode(value).trim()}`);
      await lines.cancel();
      await child.status;
    },
  };
}

/** The attackers' process: goes on until its input ends, a minute at most. */
async function attack(kind: Kind): Promise<void> {
  const to = { host: "127.0.0.1", port: Number(values.port) };
  const settings = (from: string): ServerSettings => ({
    server: { host: PROXY_HOST, port: to.port },
    trust: { kind: "pins", pins: [values.pin ?? ""] },
    identity: null,
    dial: dialFrom(from, to),
    nowMs: Date.now,
  });
  const silent = new Attack();
  const guesses = new Attack();
  if (kind !== "guesses") {
    silent.repeat({ atATime: 800, atMost: 200_000 }, (i) => silent.hold(to, stranger(i % SOURCES)));
  }
  if (kind !== "silent") {
    guesses.repeat(
      { atATime: 32, atMost: 50_000 },
      (i) => guesses.guess(settings(stranger(i % SOURCES)), `user${i % USERS}`),
    );
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
  console.log("begun");
  const input = Deno.stdin.readable.getReader();
  const timer = setTimeout(() => input.cancel(), 60_000);
  while (!(await input.read()).done);
  clearTimeout(timer);
  const told = { silent: silent.count, ...Object.fromEntries([...guesses.told].sort()) };
  console.log(JSON.stringify(told));
  Deno.exit(0);
}

function print(kind: Kind, { logins, connects, newcomers }: Figures, forMs: number): void {
  const perSecond = (count: number) => (count / forMs * 1000).toFixed(1);
  console.log(
    `${kind}: ${perSecond(logins)} logins/s, ${perSecond(connects.length)} connects/s, p99 ${
      p99(connects).toFixed(0)
    } ms, newcomers let try ${newcomers.in} of ${newcomers.tried}`,
  );
}

function p99(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? Infinity;
}
