import { deepEqual, equal, rejects } from "node:assert/strict";
import { VnetError } from "../../error.ts";
import { openLink } from "./drivers.ts";
import { type Profile, profileName, ProfileStore, sameLogin } from "./profile.ts";

const PROFILE: Profile = {
  kind: "vnet",
  proxy: { host: "teleport.example.com", port: 443 },
  cluster: "prod",
  user: "alice",
  expiresMs: Date.UTC(2026, 10, 21, 12),
  credentials: {
    certificate: "CERTIFICATE",
    private_key: "KEY",
    host_cas: ["CA"],
    ca_pin: null,
    http_proxy: "http://alice:p%40ss@proxy:3128",
  },
};

/** What the first version of the program wrote. */
const FIRST_FORM = {
  schema: "vnet.profile/1",
  proxy: { host: "teleport.example.com", port: 443 },
  cluster: "prod",
  user: "alice",
  certificate: "CERTIFICATE",
  private_key: "KEY",
  host_cas: ["CA"],
  ca_pin: null,
  http_proxy: "http://alice:p%40ss@proxy:3128",
  expires: "2026-11-21T12:00:00.000Z",
};

async function withStore(act: (store: ProfileStore, dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await act(new ProfileStore(dir), `${dir}/profiles`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function isDamaged(thrown: unknown): boolean {
  return thrown instanceof VnetError && thrown.code === "profile-damaged";
}

Deno.test("ProfileStore reads what it wrote, for the owner's eyes alone", () =>
  withStore(async (store, dir) => {
    await store.save(PROFILE);
    deepEqual(await store.list(), [PROFILE]);
    deepEqual(await store.find(PROFILE.proxy), PROFILE);
    const [entry] = [...Deno.readDirSync(dir)];
    equal(((await Deno.stat(`${dir}/${entry?.name}`)).mode ?? 0) & 0o777, 0o600);
    equal(await store.remove(PROFILE.proxy), true);
    deepEqual([await store.find(PROFILE.proxy), await store.remove(PROFILE.proxy)], [null, false]);
  }));

Deno.test("ProfileStore reads profiles from before clusters had kinds", () =>
  withStore(async (store, dir) => {
    await Deno.mkdir(dir);
    await Deno.writeTextFile(
      `${dir}/teleport.example.com_443.json`,
      JSON.stringify(FIRST_FORM),
    );
    deepEqual(await store.list(), [PROFILE]);
  }));

Deno.test("ProfileStore throws for a file that is no profile, and keeps it", () =>
  withStore(async (store, dir) => {
    await Deno.mkdir(dir);
    const rows = ["", "{", "{}", `{"schema":"vnet.profile/3"}`];
    for (const text of rows) {
      await Deno.writeTextFile(`${dir}/x_443.json`, text);
      await rejects(store.list(), isDamaged, text);
      equal(await Deno.readTextFile(`${dir}/x_443.json`), text);
    }
  }));

Deno.test("sameLogin() tells a new login from the old one", () => {
  equal(sameLogin(PROFILE, structuredClone(PROFILE)), true);
  const credentials = { ...PROFILE.credentials, certificate: "ANOTHER" };
  equal(sameLogin(PROFILE, { ...PROFILE, credentials }), false);
});

Deno.test("openLink() says which kind of cluster it does not know, and what is wrong with a login", async () => {
  const open = (profile: Profile) => async () => await openLink([], profile).close();
  await rejects(open(PROFILE), { code: "cluster-kind-unknown" });
  const { DRIVERS } = await import("./drivers.ts");
  const empty = { ...PROFILE, credentials: {} };
  await rejects(async () => await openLink(DRIVERS, empty).close(), isDamaged);
});

Deno.test("profileName() has the port when it is not 443", () => {
  equal(profileName({ host: "a.test", port: 443 }), "a.test");
  equal(profileName({ host: "a.test", port: 8443 }), "a.test:8443");
});
