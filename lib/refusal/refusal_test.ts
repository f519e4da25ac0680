import { deepEqual, equal, match, ok } from "node:assert/strict";
import { EDE, NameTable, parseDomainName, type Trouble } from "../dns/mod.ts";
import { AuthError, NetworkError, ProtocolError, VnetError } from "../error.ts";
import {
  connectionAnswer,
  type ConnectionRefusalCode,
  isApiRefusal,
  isFindingCode,
  isRefusalCode,
  nameErrorOf,
  pageOf,
  readConnectionRefusal,
  readRefusalCode,
  type Refusal,
  refusalError,
  REFUSALS,
  SECTIONS,
} from "./mod.ts";

const ROWS = Object.entries<Refusal>(REFUSALS);

Deno.test("every row has a kebab-case code, and words in their form", async (t) => {
  for (const [code, { state, hint, happened, remedy }] of ROWS) {
    await t.step(code, () => {
      match(code, /^[a-z]+[a-z0-9]*(-[a-z0-9]+)*$/);
      for (const words of [state, hint]) match(words ?? "absent", /[^.\s]$/);
      match(state ?? "absent", /^[^A-Z]/);
      for (const words of [happened, remedy]) match(words, /[^\s.][.?]$/);
    });
  }
});

Deno.test("what refuses a connection or a request has words for it", () => {
  const mute = ROWS.filter(([, { answer, state, hint }]) =>
    answer !== undefined && (state === undefined || hint === undefined)
  );
  deepEqual(mute, []);
  const odd = ROWS.filter(([, { httpStatus }]) =>
    httpStatus !== undefined && !(httpStatus >= 400 && httpStatus <= 503)
  );
  deepEqual(odd, []);
});

Deno.test("a code stands in one section and in one row", () => {
  const codes = Object.values(SECTIONS).flatMap((rows) => Object.keys(rows));
  deepEqual(codes.toSorted(), [...new Set(codes)].sort());
  deepEqual(codes.toSorted(), Object.keys(REFUSALS).sort());
});

Deno.test("connectionAnswer() is RST where the right is the matter, ICMP where the way is", async (t) => {
  const cases: [told: string, want: "rst" | "icmp"][] = [
    ["access-denied", "rst"],
    ["access-locked", "rst"],
    ["locked", "rst"], // an older agent's word
    ["session-ended", "rst"],
    ["ticket-refused", "rst"],
    ["target-refused", "rst"],
    ["target-timeout", "icmp"],
    ["no-agent", "icmp"],
    ["proxy-untrusted", "icmp"],
    ["rate-limited", "icmp"], // of the API: no way, for a while
    ["toString", "icmp"],
    ["of-tomorrow", "icmp"],
  ];
  for (const [told, want] of cases) await t.step(told, () => equal(connectionAnswer(told), want));
});

Deno.test("codes of other versions are read as what they mean, or not at all", () => {
  equal(readRefusalCode("locked"), "access-locked");
  equal(readConnectionRefusal("locked"), "access-locked");
  equal(readConnectionRefusal("password-weak"), null);
  equal(readRefusalCode("of-tomorrow"), null);
  equal(isRefusalCode("toString"), false);
  equal(isRefusalCode("locked"), false);
  equal(isApiRefusal("access-locked") && !isApiRefusal("no-agent"), true);
  equal(isFindingCode("dns-warning") && !isFindingCode("dns-1"), true);
});

Deno.test("refusalError() makes the class that fits the fault", async (t) => {
  const cases: [
    code: ConnectionRefusalCode,
    kind: new (code: string, message: string) => VnetError,
  ][] = [
    ["no-agent", NetworkError],
    ["access-locked", AuthError],
    ["protocol-violated", ProtocolError],
    ["internal", VnetError],
  ];
  for (const [code, kind] of cases) {
    await t.step(code, () => {
      const error = refusalError(code, "Cannot try");
      ok(error instanceof kind);
      equal(error.message, `Cannot try: ${REFUSALS[code].state}`);
      equal(error.hint, REFUSALS[code].hint);
      equal(refusalError(code, "Cannot try", { state: "no" }).message, "Cannot try: no");
    });
  }
});

Deno.test("a name that is refused is answered by DNS with the table's code and words", async (t) => {
  const zone = parseDomainName("x.test");
  const name = parseDomainName("db.x.test");
  for (const [code, { ede }] of ROWS) {
    if (ede === undefined) continue;
    await t.step(code, () => {
      const trouble: Trouble = ede; // the kinds are the same
      const table = new NameTable({
        zones: [{ suffix: zone, private: false }],
        names: new Map([[name, { ipv4: null, ipv6: null, trouble }]]),
      });
      const known = table.find(name);
      ok(known?.kind === "owned" && "error" in known.a);
      deepEqual(known.a.error, { code: ede.code, text: ede.text });
    });
  }
  deepEqual(nameErrorOf("locked"), {
    code: EDE.PROHIBITED,
    kind: "access-denied",
    text: "access denied: a lock is in force",
  });
  equal(nameErrorOf("no-agent"), null);
});

Deno.test("pageOf() leads to the section of the page", () => {
  equal(pageOf("access-locked"), "docs/errors.md#connections");
  equal(pageOf("usage"), "docs/errors.md#command-line-and-files");
});
