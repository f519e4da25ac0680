import { equal } from "node:assert/strict";
import type { Certificate, CertificateVerdict } from "./verify.ts";
import { KnownCertificates } from "./known.ts";

const DAY = { notBeforeMs: 1000, notAfterMs: 2000 };
const AGE = { notBeforeMs: 0, notAfterMs: 10_000 };
const DER = Uint8Array.of(1, 2, 3);

/** Verdicts as a function gives them that looks at signatures, and how often it was asked. */
function judge(verdict: (der: Uint8Array) => CertificateVerdict, limit = 8) {
  let asked = 0;
  const known = new KnownCertificates<CertificateVerdict & { kind: "good" }>((der) => {
    asked++;
    return verdict(der);
  }, limit);
  return { known, asked: () => asked };
}

function good(validity = DAY, authority = AGE): CertificateVerdict {
  return {
    kind: "good",
    certificate: { validity } as Certificate,
    authority: { validity: authority } as Certificate,
  };
}

Deno.test("KnownCertificates looks at a signature once, and at the dates every time", async (t) => {
  const cases: [name: string, verdict: CertificateVerdict, atMs: number, asked: number][] = [
    ["in force", good(), 1500, 1],
    ["expired", good(), 2000, 2],
    ["not yet valid", good(), 999, 2],
    ["the authority expired", good(DAY, { notBeforeMs: 0, notAfterMs: 1600 }), 1600, 2],
    ["bad", { kind: "bad", code: "certificate-foreign", message: "" }, 1500, 2],
  ];
  for (const [name, verdict, atMs, asked] of cases) {
    await t.step(name, () => {
      const judged = judge(() => verdict);
      equal(judged.known.judge(DER, 1500), verdict);
      equal(judged.known.judge(DER.slice(), atMs), verdict);
      equal(judged.asked(), asked);
    });
  }
});

Deno.test("KnownCertificates knows one certificate from another by all of its bytes", () => {
  const { known, asked } = judge(() => good());
  known.judge(Uint8Array.of(1, 2, 3), 1500);
  known.judge(Uint8Array.of(1, 2, 4), 1500);
  equal(asked(), 2);
});

Deno.test("KnownCertificates forgets the one that was not shown for longest", () => {
  const { known, asked } = judge(() => good(), 2);
  const [a, b, c] = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)];
  for (const der of [a, b, a, c]) known.judge(der, 1500);
  equal(asked(), 3);
  known.judge(a, 1500);
  equal(asked(), 3, "a is known");
  known.judge(b, 1500);
  equal(asked(), 4, "b is not");
});
