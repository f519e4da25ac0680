import { deepEqual, equal, match } from "node:assert/strict";
import { renderNotices } from "./notices.ts";
import type { ShippedPackage } from "./packages.ts";
import { renderSbom } from "./sbom.ts";

const PACKAGES: readonly ShippedPackage[] = [
  {
    name: "@x/y",
    version: "1.2.3",
    license: "MIT",
    licenseText: "Copyright X",
    integrity: "sha512-AAEC",
  },
  { name: "z", version: "2.0.0", license: "0BSD", licenseText: "", integrity: "" },
];
const PRODUCT = {
  version: "0.1.0",
  commit: "0123abc",
  denoVersion: "2.9.5",
  sha256: "ff00",
  timeMs: Date.UTC(2026, 0, 31),
};

Deno.test("renderSbom() names every package with its hash, and itself with its own", () => {
  const bom = JSON.parse(renderSbom(PRODUCT, PACKAGES));
  deepEqual([bom.bomFormat, bom.specVersion], ["CycloneDX", "1.6"]);
  equal(bom.metadata.timestamp, "2026-01-31T00:00:00.000Z");
  deepEqual(bom.metadata.component.hashes, [{ alg: "SHA-256", content: "ff00" }]);
  deepEqual(
    bom.components.map((c: { purl: string }) => c.purl),
    ["pkg:npm/deno@2.9.5", "pkg:npm/%40x/y@1.2.3", "pkg:npm/z@2.0.0"],
  );
  deepEqual(bom.components[1].hashes, [{ alg: "SHA-512", content: "000102" }]);
  equal("hashes" in bom.components[2], false);
  const refs = new Set(bom.components.map((c: { "bom-ref": string }) => c["bom-ref"]));
  equal(bom.dependencies[0].dependsOn.every((ref: string) => refs.has(ref)), true);
});

Deno.test("renderNotices() passes on each licence, and names it where there is no text", () => {
  const text = renderNotices(PACKAGES, "2.9.5");
  match(text, /Deno runtime 2\.9\.5/);
  match(text, /@x\/y 1\.2\.3 \(MIT\)\n\nCopyright X\n/);
  match(text, /z 2\.0\.0 \(0BSD\)\n\nLicence: 0BSD\n/);
});
