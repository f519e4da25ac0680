import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import tls from "node:tls";
import { CompanyCa, selfSigned } from "../../../tests/doubles/company_ca.ts";
import { ConfigError } from "../../error.ts";
import { toPem } from "../keys.ts";
import { MachineStore, readAuthorityFile } from "./store.ts";
import { parseCertificate } from "./verify.ts";

const NOWHERE = { bundles: [], directories: [] };
const env = (variables: Record<string, string>) => (name: string) => variables[name];

async function inDir(act: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "vnet-store-" });
  try {
    await act(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("MachineStore finds a company's authority where curl does", (t) =>
  inDir(async (dir) => {
    const ca = await CompanyCa.create();
    const file = `${dir}/corp.pem`;
    await Deno.writeTextFile(file, `# Corp\n${tls.rootCertificates[0]}\n${ca.certificatePem}`);
    await Deno.mkdir(`${dir}/certs`);
    await Deno.writeTextFile(`${dir}/certs/README`, ca.certificatePem);
    await Deno.mkdir(`${dir}/hashed`);
    await Deno.symlink(file, `${dir}/hashed/0a1b2c3d.0`);
    await Deno.mkdir(`${dir}/plain`);
    await Deno.writeTextFile(`${dir}/plain/corp.crt`, ca.certificatePem);
    const bundles = [`${dir}/none.pem`, file];
    const cases: [name: string, store: MachineStore, all: number, named: number][] = [
      ["nowhere", new MachineStore(env({}), NOWHERE), 0, 0],
      ["SSL_CERT_FILE", new MachineStore(env({ SSL_CERT_FILE: file }), NOWHERE), 1, 1],
      [
        "SSL_CERT_DIR, hashed",
        new MachineStore(env({ SSL_CERT_DIR: `${dir}/hashed` }), NOWHERE),
        1,
        1,
      ],
      [
        "SSL_CERT_DIR, several and not hashed",
        new MachineStore(env({ SSL_CERT_DIR: `${dir}/certs:${dir}/plain` }), NOWHERE),
        1,
        1,
      ],
      [
        "SSL_CERT_DIR, other files",
        new MachineStore(env({ SSL_CERT_DIR: `${dir}/certs` }), NOWHERE),
        0,
        0,
      ],
      ["the distribution's bundle", new MachineStore(env({}), { ...NOWHERE, bundles }), 1, 0],
      [
        "the distribution's directory",
        new MachineStore(env({}), { ...NOWHERE, directories: [`${dir}/plain`] }),
        1,
        0,
      ],
      [
        "a variable in the place of a bundle",
        new MachineStore(env({ SSL_CERT_FILE: `${dir}/none.pem` }), { ...NOWHERE, bundles }),
        0,
        0,
      ],
    ];
    for (const [name, store, all, named] of cases) {
      await t.step(name, async () => {
        equal((await store.pems()).length, all);
        equal((await store.named()).length, named);
      });
    }
  }));

Deno.test("MachineStore asks for nothing before it is asked, and once", async () => {
  const asked: string[] = [];
  const store = new MachineStore((name) => void asked.push(name), NOWHERE);
  deepEqual(asked, []);
  await Promise.all([store.pems(), store.named(), store.pems()]);
  deepEqual(asked, ["SSL_CERT_FILE", "SSL_CERT_DIR"]);
});

Deno.test("MachineStore goes on past what cannot be read", (t) =>
  inDir(async (dir) => {
    const ca = await CompanyCa.create();
    const mix = `${dir}/mix`;
    await Deno.mkdir(mix);
    await Deno.writeTextFile(`${mix}/good.pem`, ca.certificatePem);
    await Deno.writeTextFile(`${mix}/broken.pem`, ca.certificatePem.replace(/[A-Z]{4}/, "####"));
    await Deno.writeTextFile(
      `${mix}/nonsense.pem`,
      "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    );
    await Deno.symlink("/dev/zero", `${mix}/zero.pem`);
    await Deno.symlink(`${mix}/loop.pem`, `${mix}/loop.pem`);
    await Deno.symlink(`${mix}/nobody`, `${mix}/dangling.pem`);
    await Deno.mkdir(`${mix}/sub.pem`);
    equal((await new Deno.Command("mkfifo", { args: [`${mix}/pipe.pem`] }).output()).code, 0);
    using huge = await Deno.create(`${mix}/huge.pem`);
    await huge.truncate(1_073_741_824);
    await t.step("in a directory", async () => {
      const begin = performance.now();
      equal((await new MachineStore(env({ SSL_CERT_DIR: mix }), NOWHERE).pems()).length, 1);
      ok(performance.now() - begin < 1_500);
    });
    for (const name of ["pipe.pem", "huge.pem", "zero.pem", "loop.pem", "sub.pem"]) {
      await t.step(`${name} as the file`, async () => {
        const store = new MachineStore(env({ SSL_CERT_FILE: `${mix}/${name}` }), NOWHERE);
        deepEqual(await store.pems(), []);
      });
      await t.step(`${name} as --ca-file`, () =>
        rejects(readAuthorityFile(`${mix}/${name}`), ConfigError));
    }
  }));

Deno.test("readAuthorityFile() wants certificates, PEM or DER", (t) =>
  inDir(async (dir) => {
    const ca = await CompanyCa.create();
    const own = await selfSigned(["a.test"]);
    const der = parseCertificate(ca.certificatePem)?.der ?? new Uint8Array();
    const pem = parseCertificate(ca.certificatePem)?.pem;
    const read = async (content: string | Uint8Array) => {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      await Deno.writeFile(`${dir}/x.pem`, bytes);
      return await readAuthorityFile(`${dir}/x.pem`);
    };
    await t.step("PEM", async () => deepEqual(await read(ca.certificatePem), [pem]));
    await t.step("DER", async () => deepEqual(await read(der), [pem]));
    await t.step("with a key beside it: the key is left out", async () => {
      const [first = "", ...rest] = await read(own.privateKeyPem + own.certificatePem);
      deepEqual(rest, []);
      ok(!first.includes("PRIVATE"));
    });
    const cases: [name: string, content: string, found: RegExp][] = [
      ["nothing", "", /no certificate/],
      ["a key", toPem("PRIVATE KEY", new Uint8Array(9)), /no certificate/],
      [
        "a broken one after a good one",
        `${ca.certificatePem}-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n`,
        /cannot be read \(number 2\)/,
      ],
    ];
    for (const [name, content, found] of cases) {
      await t.step(name, () =>
        rejects(read(content), (error: unknown) => {
          ok(error instanceof ConfigError);
          match(error.message, found);
          return true;
        }));
    }
    await t.step("no file", () => rejects(readAuthorityFile(`${dir}/none`), /no such file/));
  }));
