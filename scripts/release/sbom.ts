/**
 * The bill of materials.
 *
 * @module
 * @see https://cyclonedx.org/docs/1.6/json/
 */
import { Buffer } from "node:buffer";
import type { ShippedPackage } from "./packages.ts";

/** What the bill is about. */
export interface Product {
  readonly version: string;
  readonly commit: string;
  readonly denoVersion: string;
  /** SHA-256 of the executable, in hexadecimal. */
  readonly sha256: string;
  /** When the commit was made. */
  readonly timeMs: number;
}

/** Renders a CycloneDX 1.6 document: the same for the same input, so without a serial number. */
export function renderSbom(product: Product, packages: readonly ShippedPackage[]): string {
  const self = `pkg:generic/vnet@${product.version}`;
  const runtime = `pkg:npm/deno@${product.denoVersion}`;
  const refs = packages.map(purlOf);
  return JSON.stringify(
    {
      $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
      bomFormat: "CycloneDX",
      specVersion: "1.6",
      version: 1,
      metadata: {
        timestamp: new Date(product.timeMs).toISOString(),
        component: {
          type: "application",
          "bom-ref": self,
          name: "vnet",
          version: product.version,
          purl: self,
          licenses: [{ license: { id: "Apache-2.0" } }],
          hashes: [{ alg: "SHA-256", content: product.sha256 }],
          properties: [{ name: "vnet:commit", value: product.commit }],
        },
      },
      components: [
        {
          type: "platform",
          "bom-ref": runtime,
          name: "deno",
          version: product.denoVersion,
          purl: runtime,
          licenses: [{ license: { id: "MIT" } }],
        },
        ...packages.map((p) => ({
          type: "library",
          "bom-ref": purlOf(p),
          name: p.name,
          version: p.version,
          purl: purlOf(p),
          licenses: [{ expression: p.license }],
          ...hashesOf(p),
        })),
      ],
      dependencies: [{ ref: self, dependsOn: [runtime, ...refs] }],
    },
    null,
    2,
  ) + "\n";
}

/** @see https://github.com/package-url/purl-spec */
function purlOf(p: ShippedPackage): string {
  return `pkg:npm/${p.name.replace("@", "%40")}@${p.version}`;
}

function hashesOf(p: ShippedPackage): { hashes?: { alg: string; content: string }[] } {
  const [algorithm, digest] = p.integrity.split("-");
  if (algorithm !== "sha512" || digest === undefined) return {};
  return { hashes: [{ alg: "SHA-512", content: Buffer.from(digest, "base64").toString("hex") }] };
}
