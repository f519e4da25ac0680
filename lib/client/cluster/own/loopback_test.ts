import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { pause } from "../../../wait.ts";
import { Loopback, LoopbackDesk, parseRequest } from "./loopback.ts";

const PORT = 4321;
const HOST = `127.0.0.1:${PORT}`;
const ERRAND = { authorizationUrl: "https://id.test/auth?state=right", state: "right" };
const BACK = "/callback?code=1&state=right";

const get = (target: string, cookies: readonly string[] = [], host: string | null = HOST) => ({
  method: "GET",
  target,
  host,
  cookies,
});

/** One whose browser has begun. @returns The desk, and the browser's cookie */
function begun(): { desk: LoopbackDesk; cookie: string } {
  const desk = new LoopbackDesk(PORT);
  desk.send(ERRAND);
  const { status, headers } = desk.answer(get(`/${desk.token}`));
  equal(status, "302 Found");
  equal(headers[0], `location: ${ERRAND.authorizationUrl}`);
  const [, cookie = ""] = /^set-cookie: ([^;]+); HttpOnly; SameSite=Lax/.exec(headers[1]!) ?? [];
  return { desk, cookie };
}

Deno.test("LoopbackDesk takes the query that the browser it sent comes back with, once", async () => {
  const { desk, cookie } = begun();
  equal(desk.answer(get(`/${desk.token}`, [cookie])).status, "302 Found"); // loaded again
  equal(desk.answer(get(BACK, ["other=1", cookie])).status, "200 OK");
  equal(desk.answer(get(BACK, [cookie])).status, "410 Gone");
  equal(await desk.came, "code=1&state=right");
});

Deno.test("LoopbackDesk takes nothing from anybody else on the machine, and goes on", async (t) => {
  const { desk, cookie } = begun();
  const rows: readonly (readonly [what: string, Parameters<LoopbackDesk["answer"]>[0], string])[] =
    [
      ["a stolen state without the cookie", get(BACK), "404"],
      ["a stolen state with another cookie", get(BACK, ["vnet_login=00"]), "404"],
      ["the cookie with another state", get("/callback?code=1&state=left", [cookie]), "403"],
      ["the cookie without a state", get("/callback?code=1", [cookie]), "403"],
      ["two states", get(`${BACK}&state=right`, [cookie]), "403"],
      ["a page of another host's name", get(BACK, [cookie], "evil.test"), "421"],
      ["a name for this machine", get(BACK, [cookie], `localhost:${PORT}`), "421"],
      ["no host", get(BACK, [cookie], null), "421"],
      ["a form", { ...get(BACK, [cookie]), method: "POST" }, "405"],
      ["a guess of where it begins", get(`/${"0".repeat(32)}`), "404"],
      ["the root", get("/"), "404"],
      ["another path", get("/callback/x?state=right", [cookie]), "404"],
    ];
  for (const [what, request, status] of rows) {
    await t.step(what, () => {
      const answer = desk.answer(request);
      equal(answer.status.slice(0, 3), status);
      deepEqual(answer.headers, []);
    });
  }
  equal(desk.answer(get(BACK, [cookie])).status, "200 OK");
});

Deno.test("LoopbackDesk ends the login when a second program begins it", async () => {
  const { desk, cookie } = begun();
  equal(desk.answer(get(`/${desk.token}`)).status, "403 Forbidden");
  await rejects(desk.came, { code: "oidc-intruder" });
  equal(desk.answer(get(BACK, [cookie])).status, "410 Gone");
  equal(desk.answer(get(`/${desk.token}`, [cookie])).status, "404 Not Found");
});

Deno.test("parseRequest() reads a head or nothing", () => {
  deepEqual(parseRequest("GET /a?b HTTP/1.1\r\nHost: h:1\r\nCookie: a=1; b=2\r\ncookie: c=3"), {
    method: "GET",
    target: "/a?b",
    host: "h:1",
    cookies: ["a=1", "b=2", "c=3"],
  });
  equal(parseRequest("GET / HTTP/1.1\r\nHost: a\r\nHost: b")?.host, null);
  for (const bad of ["", "GET /", "GET http://a/ HTTP/1.1", "GET / HTTP/2", "get / HTTP/1.1"]) {
    equal(parseRequest(bad), null);
  }
});

Deno.test("parseRequest() is not held up by a long hostile head", () => {
  const from = performance.now();
  for (const blank of [" ", "\t", " \t"]) {
    const blanks = blank.repeat(16_000 / blank.length);
    const head = `GET / HTTP/1.1\r\nhost:${blanks}\n${blanks}x\r\ncookie:${blanks}a=1${blanks}`;
    deepEqual(parseRequest(head)?.cookies, ["a=1"]);
  }
  ok(performance.now() - from < 30_000);
});

Deno.test("LoopbackDesk sends the browser to an address, and writes nothing else into its answer", () => {
  const desk = new LoopbackDesk(PORT);
  desk.send({ ...ERRAND, authorizationUrl: "https://id.test/a\r\nset-cookie: x=1" });
  const { headers } = desk.answer(get(`/${desk.token}`));
  equal(headers[0], "location: https://id.test/aset-cookie:%20x=1");
});

Deno.test("Loopback answers a browser in spite of whoever else holds its connections", async () => {
  await using loopback = new Loopback();
  const came = loopback.send(ERRAND);
  const idle: Deno.TcpConn[] = [];
  for (let n = 0; n < 40; n++) idle.push(await Deno.connect({ port: loopback.port }));
  const first = await fetch(loopback.url, { redirect: "manual" });
  await first.body?.cancel();
  const cookie = first.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const back = `http://127.0.0.1:${loopback.port}${BACK}`;
  const stolen = await fetch(back);
  equal(stolen.status, 404);
  match(await stolen.text(), /Nothing is here/);
  const second = await fetch(back, { headers: { cookie } });
  match(await second.text(), /You can close this page/);
  equal(second.headers.get("cache-control"), "no-store");
  equal(await came, "code=1&state=right");
  await pause(0, new AbortController().signal);
  for (const conn of idle) conn.close();
});

Deno.test("Loopback hangs up on other users' programs before it reads anything", async () => {
  const seen: number[] = [];
  await using loopback = new Loopback(({ source }) => seen.push(source.port) > 1);
  loopback.send(ERRAND);
  const stranger = await Deno.connect({ port: loopback.port });
  await stranger.write(
    new TextEncoder().encode(`GET ${new URL(loopback.url).pathname} HTTP/1.1\r\n`),
  );
  equal(await stranger.read(new Uint8Array(1)).catch(() => null), null);
  equal(seen[0], (stranger.localAddr as Deno.NetAddr).port);
  stranger.close();
  const first = await fetch(loopback.url, { redirect: "manual" });
  await first.body?.cancel();
  equal(first.status, 302);
});
