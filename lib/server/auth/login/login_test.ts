import { deepEqual, equal, match, ok } from "node:assert/strict";
import { parseCertificate, verifyCertificate } from "../../../io/mod.ts";
import { Fixture, sharedKey, START_MS } from "../../../../tests/doubles/auth_service.ts";

const MINUTE_MS = 60_000;

Deno.test("a login gives a certificate that the user CA signed, and what to trust", async () => {
  await using f = await Fixture.open();
  const { password } = await f.addUser("alice");
  const { status, body, headers } = await f.login("alice", password);
  equal(status, 200);
  equal(headers.get("cache-control"), "no-store");
  equal(body.cluster_name, "c.example");
  equal(body.user, "alice");
  equal(body.expires, new Date(START_MS + 12 * 60 * MINUTE_MS).toISOString());
  deepEqual(body.trust, { host_cas: [f.auth.hostCaPem()] });
  const verdict = verifyCertificate(body.certificate, {
    authorities: f.auth.userCaPems().map((pem) => parseCertificate(pem)!),
    purpose: "client",
    nowMs: START_MS,
  });
  equal(verdict.kind, "good");
});

Deno.test("a login is as long as was wished, and as the roles allow", async () => {
  await using f = await Fixture.open();
  await f.addRole("short", { options: { max_session_ttl: "1h" } });
  const hours = async (roles: string[], ttl_seconds?: number) => {
    const name = `u${roles.join("")}${ttl_seconds ?? ""}`;
    const { password } = await f.addUser(name, { roles });
    const { body } = await f.login(
      name,
      password,
      ttl_seconds === undefined ? {} : { ttl_seconds },
    );
    return (Date.parse(body.expires) - START_MS) / (60 * MINUTE_MS);
  };
  equal(await hours(["access"], 7200), 2);
  equal(await hours(["access"], 31_536_000), 12);
  equal(await hours(["access", "short"]), 1);
  equal(await hours(["short"], 1800), 0.5);
});

Deno.test("begin says the same of everybody", async () => {
  await using f = await Fixture.open();
  await f.addUser("alice", { secondFactor: true });
  const known = await f.ask("POST", "/v1/login/begin", { body: { user: "alice" } });
  const unknown = await f.ask("POST", "/v1/login/begin", { body: { user: "nobody" } });
  deepEqual(known.body, { second_factor: "optional" });
  deepEqual(unknown.body, known.body);
});

Deno.test("a login that fails says only that it failed", async (t) => {
  await using f = await Fixture.open();
  const { password } = await f.addUser("alice");
  const { password: withTotp } = await f.addUser("carol", { secondFactor: true });
  await f.auth.admin.putResource(
    { kind: "user", version: "v1", metadata: { name: "dave" }, spec: { roles: ["access"] } },
    { replace: false },
  );
  const cases: [name: string, user: string, password: string, more: Record<string, unknown>][] = [
    ["a wrong password", "alice", "wrong", {}],
    ["a password with a space", "alice", `${password} `, {}],
    ["an unknown user", "nobody", password, {}],
    ["a name nobody can have", "../alice", password, {}],
    ["another letter case", "Alice", password, {}],
    ["a user without a password", "dave", password, {}],
    ["no code", "carol", withTotp, {}],
    ["a wrong code", "carol", withTotp, { totp_code: "000000" }],
  ];
  const answers = new Set<string>();
  for (const [name, user, tried, more] of cases) {
    await t.step(name, async () => {
      const { status, code, body } = await f.login(user, tried, more, { address: "198.51.100.7" });
      equal(status, 401);
      equal(code, "login-failed");
      answers.add(JSON.stringify(body));
    });
  }
  equal(answers.size, 1);
});

Deno.test("a user nobody knows costs as much as one who is there", async () => {
  const cost = { logN: 12, r: 8, p: 1 };
  await using f = await Fixture.open({ passwordCost: cost });
  await f.addUser("alice");
  const timeOf = async (user: string, address: string) => {
    const startMs = performance.now();
    await f.login(user, "wrong password", {}, { address });
    return performance.now() - startMs;
  };
  const known: number[] = [];
  const unknown: number[] = [];
  // No more than are tried: what is refused before costs nothing, for either
  for (let i = 0; i < 9; i++) {
    known.push(await timeOf("alice", `192.0.2.${i}`));
    unknown.push(await timeOf("nobody", `192.0.2.${i}`));
  }
  const least = (times: number[]) => Math.min(...times);
  // Without the decoy an unknown user would cost a small part of this
  ok(least(unknown) > least(known) / 2, `${least(unknown)} ms of ${least(known)} ms`);
});

Deno.test("five failures lock a user out from one source for twenty minutes", async (t) => {
  await using f = await Fixture.open();
  const { password } = await f.addUser("alice");
  const from = (address: string) => ({ address });
  for (let i = 0; i < 5; i++) await f.login("alice", "wrong", {}, from("192.0.2.9"));
  await t.step("the right password does not help", async () => {
    const { status, code, body } = await f.login("alice", password, {}, from("192.0.2.9"));
    equal(status, 429);
    equal(code, "login-locked");
    match(body.error.hint, /20 min/);
  });
  await t.step("other sources and other users are not locked", async () => {
    equal((await f.login("alice", password, {}, from("192.0.2.10"))).status, 200);
    equal((await f.login("bob", "wrong", {}, from("192.0.2.9"))).code, "login-failed");
  });
  await t.step("it ends after twenty minutes", async () => {
    f.nowMs += 20 * MINUTE_MS - 1;
    equal((await f.login("alice", password, {}, from("192.0.2.9"))).code, "login-locked");
    f.nowMs += 1;
    equal((await f.login("alice", password, {}, from("192.0.2.9"))).status, 200);
  });
  await t.step("it is in the audit log", async () => {
    const events = (await f.events()).filter(({ source }) => source === "192.0.2.9");
    deepEqual(
      events.map(({ event }) => event).slice(0, 6),
      [...new Array(4).fill("login.failed"), "login.locked", "login.failed"],
    );
  });
});

Deno.test("an unknown user is locked out as a known one is", async () => {
  await using f = await Fixture.open();
  for (let i = 0; i < 5; i++) equal((await f.login("nobody", "wrong")).code, "login-failed");
  equal((await f.login("nobody", "wrong")).code, "login-locked");
});

Deno.test("failures more than half an hour ago do not count, and a login forgets them", async () => {
  await using f = await Fixture.open();
  const { password } = await f.addUser("alice");
  const fail = async (times: number) => {
    for (let i = 0; i < times; i++) equal((await f.login("alice", "wrong")).code, "login-failed");
  };
  await fail(4);
  f.nowMs += 30 * MINUTE_MS;
  await fail(4);
  equal((await f.login("alice", password)).status, 200);
  await fail(4);
  equal((await f.login("alice", password)).status, 200);
});

Deno.test("guesses made at a time are not answered beyond the fifth", async () => {
  await using f = await Fixture.open();
  const { password } = await f.addUser("alice");
  const guesses = [...new Array(10).fill("wrong"), password].map((guess) =>
    f.login("alice", guess)
  );
  const codes = (await Promise.all(guesses)).map(({ code }) => code);
  equal(codes.at(-1), "login-locked");
  ok(codes.filter((code) => code === "login-failed").length <= 6, codes.join());
});

Deno.test("a code works once, near its time, and only with the password", async (t) => {
  await using f = await Fixture.open({ secondFactor: "otp" });
  const { password, totp } = await f.addUser("alice");
  ok(totp !== null);
  const codeAt = (ms: number) => totp.generate({ timestamp: ms });
  const login = (totp_code: string, tried = password) => f.login("alice", tried, { totp_code });
  await t.step("a wrong password does not use it up", async () => {
    equal((await login(codeAt(f.nowMs), "wrong")).code, "login-failed");
    equal((await login(codeAt(f.nowMs))).status, 200);
  });
  await t.step("it does not work again, and neither does the one before", async () => {
    equal((await login(codeAt(f.nowMs))).code, "login-failed");
    equal((await login(codeAt(f.nowMs - 30_000))).code, "login-failed");
  });
  await t.step("the next one works, also on a clock that is ahead", async () => {
    equal((await login(codeAt(f.nowMs + 30_000))).status, 200);
  });
  await t.step("one from further away does not", async () => {
    f.nowMs += 10 * MINUTE_MS;
    equal((await login(codeAt(f.nowMs + 60_000))).code, "login-failed");
    equal((await login(codeAt(f.nowMs - 60_000))).code, "login-failed");
    equal((await login(codeAt(f.nowMs - 30_000))).status, 200);
  });
});

Deno.test("two logins with one code at a time: one of them is let in", async () => {
  await using f = await Fixture.open({ secondFactor: "otp" });
  const { password, totp } = await f.addUser("alice");
  const totp_code = totp!.generate({ timestamp: f.nowMs });
  const answers = await Promise.all([1, 2, 3].map(() => f.login("alice", password, { totp_code })));
  equal(answers.filter(({ status }) => status === 200).length, 1);
});

Deno.test("second_factor says who needs a code", async (t) => {
  const tryLogin = async (secondFactor: "off" | "optional" | "otp", enrolled: boolean) => {
    await using f = await Fixture.open({ secondFactor });
    const { password } = await f.addUser("alice", { secondFactor: enrolled });
    return (await f.login("alice", password)).status;
  };
  const cases: ["off" | "optional" | "otp", enrolled: boolean, status: number][] = [
    ["off", true, 200],
    ["off", false, 200],
    ["optional", false, 200],
    ["optional", true, 401],
    ["otp", true, 401],
    ["otp", false, 401],
  ];
  for (const [mode, enrolled, status] of cases) {
    await t.step(`${mode}, ${enrolled ? "enrolled" : "not enrolled"}`, async () => {
      equal(await tryLogin(mode, enrolled), status);
    });
  }
});

Deno.test("one host may fail twenty times, and a network sixty, whoever they try", async () => {
  await using f = await Fixture.open();
  const tryOne = (i: number, address: string) => f.login(`user${i}`, "wrong", {}, { address });
  for (let i = 0; i < 20; i++) {
    equal((await tryOne(i, `2001:db8::${i.toString(16)}`)).code, "login-failed");
  }
  const { status, code } = await tryOne(30, "2001:db8::ffff");
  equal(status, 429);
  equal(code, "rate-limited");
  equal((await tryOne(31, "2001:db8:0:1::1")).code, "rate-limited"); // another /64 of the line
  equal((await tryOne(31, "2001:db8:0:100::1")).code, "login-failed"); // another line
  f.nowMs += 2000;
  equal((await tryOne(32, "2001:db8::1")).code, "login-failed");
  equal((await tryOne(33, "2001:db8::1")).code, "rate-limited");
  let failed = 0;
  for (let i = 0; i < 200; i++) {
    const line = `2001:db8:0:${(i + 2).toString(16)}00::1`;
    if ((await tryOne(100 + i, line)).code === "login-failed") failed++;
  }
  equal(failed, 60 - 22);
});

Deno.test("where a user has logged in before, strangers' failures keep nobody out", async (t) => {
  await using f = await Fixture.open();
  const { password } = await f.addUser("alice");
  const home = { address: "2001:db8:7:7::1" };
  equal((await f.login("alice", password, {}, home)).status, 200);
  const attack = async (user: string) => {
    const told: (string | null)[] = [];
    for (let i = 0; i < 40; i++) {
      told.push((await f.login(user, "wrong", {}, { address: `198.51.${i}.1` })).code);
    }
    return told;
  };
  const told = await attack("alice");
  await t.step("strangers wait, and are told so in the words they get for anybody", async () => {
    deepEqual(told, await attack("nobody"));
    deepEqual([...new Set(told)], ["login-failed", "login-locked"]);
    const answer = (user: string) => f.login(user, "wrong", {}, { address: "203.0.113.1" });
    deepEqual((await answer("alice")).body, (await answer("nobody")).body);
  });
  await t.step("the user does not, at home", async () => {
    equal((await f.login("alice", password, {}, home)).status, 200);
  });
  await t.step("nor when a neighbour of the same line fails", async () => {
    for (let i = 0; i < 30; i++) {
      await f.login(`u${i % 10}`, "wrong", {}, { address: "2001:db8:7:8::1" });
      await f.login("alice", "wrong", {}, { address: "2001:db8:7:8::1" });
    }
    equal((await f.login("alice", password, {}, home)).status, 200);
  });
  await t.step("elsewhere, once a minute has passed", async () => {
    equal(
      (await f.login("alice", password, {}, { address: "203.0.113.1" })).code,
      "login-locked",
    );
    f.nowMs += MINUTE_MS;
    equal((await f.login("alice", password, {}, { address: "203.0.113.1" })).status, 200);
  });
  await t.step("a reset forgets where: it may have been somebody else", async () => {
    await attack("alice");
    const { password: other } = await f.auth.admin.resetUser({ name: "alice" });
    equal((await f.login("alice", other!, {}, home)).status, 200); // and lifts the delay
    await attack("alice");
    const reset = await f.auth.admin.resetUser({ name: "alice" });
    await attack("alice");
    equal((await f.login("alice", reset.password!, {}, home)).code, "login-locked");
  });
});

Deno.test("failures by the hundred are in the audit log by their number", async () => {
  await using f = await Fixture.open();
  for (let i = 0; i < 1500; i++) {
    const address = `10.${i % 250}.${i >> 8}.1`;
    await f.ask("POST", "/v1/join", {
      address,
      body: {
        token: "0".repeat(32),
        name: "a",
        kind: "app",
        apps: ["db"],
        public_key: sharedKey.publicKeyPem,
      },
    });
  }
  const count = async () =>
    (await f.events()).filter(({ event }) => event === "agent.join.failed").length;
  equal(await count(), 600);
  await f.auth.summarize();
  const { reason, count: more } = (await f.events()).at(-1)!;
  deepEqual([reason, more], ["many", 900]);
});

Deno.test("a locked user is told so once the password is right", async () => {
  await using f = await Fixture.open();
  const { password } = await f.addUser("alice");
  await f.auth.admin.lock({ target: { user: "alice" } });
  equal((await f.login("alice", "wrong")).code, "login-failed");
  const { status, code, body } = await f.login("alice", password);
  equal(status, 403);
  equal(code, "access-locked");
  equal(body.error.message, "You are locked out");
});

Deno.test("a login wants a P-256 key and says so before it tries the password", async () => {
  await using f = await Fixture.open();
  const answer = await f.login("alice", "whatever", { tls_public_key: "no key" });
  equal(answer.status, 400);
  equal(answer.code, "public-key-unsupported");
});

Deno.test("nothing a user or the server must keep to itself is in the audit log", async () => {
  await using f = await Fixture.open({ secondFactor: "otp" });
  const { password, totp } = await f.addUser("alice");
  const totp_code = totp!.generate({ timestamp: f.nowMs });
  await f.login("alice", "a wrong password", { totp_code: "123456" });
  await f.login("a password typed in the wrong field", "x");
  equal((await f.login("alice", password, { totp_code })).status, 200);
  const lines = await Deno.readTextFile(`${f.dataDir}/audit.jsonl`);
  const { publicKeyPem } = sharedKey;
  for (
    const secret of [
      password,
      "a wrong password",
      "123456",
      "wrong field",
      totp!.secret.base32,
      publicKeyPem,
    ]
  ) {
    ok(!lines.includes(secret), `The audit log holds ${secret}`);
  }
  ok(!JSON.stringify(await f.auth.admin.listUsers()).includes(totp!.secret.base32));
});
