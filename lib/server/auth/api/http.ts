/**
 * Requests and answers: bodies of bounded size in bounded time, entity tags, long polls.
 *
 * @module
 */
import { parseJson } from "../../../json.ts";
import type { z } from "zod";
import { checkValue } from "../../../config/mod.ts";
import type { Changes } from "../changes.ts";
import { refusal } from "./refusals.ts";
import type { Answerable, Renders } from "./renders.ts";

/** The largest body any request may have. */
const MAX_BODY_BYTES = 512 * 1024;
/** How long a peer may take to send its body. */
const BODY_DEADLINE_MS = 10_000;
const MAX_WAIT_SECONDS = 60;
/** Mistakes of a request that are told. */
const MAX_MISTAKES = 5;

/**
 * Reads a JSON body and holds it against a schema.
 *
 * @throws {AuthError} `request-too-large`, `request-timeout`, `request-malformed`.
 */
export async function readJson<T>(request: Request, schema: z.ZodType<T>): Promise<T> {
  const bytes = await readBody(request);
  const value = parseJson(bytes);
  if (value === undefined) {
    throw refusal("request-malformed", { message: "The body is not JSON" });
  }
  const checked = checkValue(schema, value, () => null);
  if (checked.kind === "good") return checked.value;
  // Only where and what should be there: the values may be secrets
  const wanted = checked.mistakes.slice(0, MAX_MISTAKES).map(({ path, expected }) =>
    `${path === "" ? "the body" : path} must be ${expected}`
  );
  throw refusal("request-malformed", { message: `The request is wrong: ${wanted.join("; ")}` });
}

async function readBody(request: Request): Promise<Uint8Array> {
  const tooLarge = () =>
    refusal("request-too-large", { message: `The body is larger than ${MAX_BODY_BYTES} bytes` });
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  if (request.body === null) return new Uint8Array();
  const reader = request.body.getReader();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    reader.cancel().catch(() => {});
  }, BODY_DEADLINE_MS);
  try {
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    for (;;) {
      const { done, value } = await reader.read().catch(() => {
        throw refusal("request-malformed", { message: "The body broke off" });
      });
      if (late) throw refusal("request-timeout", { message: "The body did not arrive in time" });
      if (done) return concat(chunks, sizeBytes);
      sizeBytes += value.length;
      if (sizeBytes > MAX_BODY_BYTES) throw tooLarge();
      chunks.push(value);
    }
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
}

function concat(chunks: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const whole = new Uint8Array(sizeBytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** What a conditional, possibly waiting GET is answered from. */
interface LongPoll {
  readonly changes: Changes;
  /** Who waits; each may hold a few requests at a time. */
  readonly key: string;
  readonly renders: Renders;
  /** Looks whether whoever waits may still be told, and says what. */
  readonly compute: () => Promise<Answerable>;
  /** What else ends the wait when it is different: another answer, and the tag that whoever waits holds of it. */
  readonly also?: { readonly held: string; readonly compute: LongPoll["compute"] };
  readonly delay: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Whether it is news that there is an answer: it is given at once. */
  readonly isNews?: boolean;
}

/** How a request is held. */
interface Holding extends Pick<LongPoll, "changes" | "key" | "delay"> {
  readonly waitSeconds: number;
  /** The revision of the changes that were seen. */
  readonly revision: number;
}

/**
 * Answers with what `compute` gives and its entity tag. A request whose `If-None-Match` names that tag gets 304, with
 * `?wait=SECONDS` only after that time without a change, of this or of what else ends the wait.
 */
export async function answerPoll(request: Request, poll: LongPoll): Promise<Response> {
  const waitSeconds = poll.isNews ? 0 : readWait(request);
  const held = request.headers.get("if-none-match");
  const revision = poll.changes.revision();
  let answer = await render(poll, poll.compute);
  const isOther = () => held === null || !tagMatches(held, answer.tag);
  if (!isOther() && !await hasOther(poll)) {
    await holdUntil(
      async () => {
        answer = await render(poll, poll.compute);
        return isOther() || await hasOther(poll);
      },
      { ...poll, waitSeconds, revision },
      request.signal,
    );
  }
  return isOther() ? answer.fresh() : answer.unchanged();
}

/**
 * Holds a request for as long as it may wait, while something is not so.
 *
 * @param isSo Looked at after every change.
 * @throws {AuthError} `rate-limited`, `busy`, and what `isSo` throws.
 */
export async function holdUntil(
  isSo: () => Promise<boolean>,
  { changes, key, delay, waitSeconds, revision }: Holding,
  signal: AbortSignal,
): Promise<void> {
  if (waitSeconds === 0) return;
  using place = changes.enter(key);
  const ended = new AbortController();
  const timeUp = delay(waitSeconds * 1000, AbortSignal.any([ended.signal, signal]))
    .then(() => ended.abort());
  try {
    const until = AbortSignal.any([ended.signal, signal, place.closed]);
    let seen = revision;
    while (!until.aborted) {
      await changes.after(seen, until);
      if (until.aborted) break;
      seen = changes.revision();
      if (await isSo()) break;
    }
  } finally {
    ended.abort();
    await timeUp;
  }
}

/** Whether what else ends the wait is different from what is held of it. */
async function hasOther(poll: LongPoll): Promise<boolean> {
  if (poll.also === undefined) return false;
  const { held, compute } = poll.also;
  return !tagMatches(held, (await render(poll, compute)).tag);
}

async function render({ changes, renders }: LongPoll, compute: LongPoll["compute"]) {
  const answerable = await compute();
  const { body, tag } = await renders.of(changes.revision(), answerable);
  const headers = { etag: tag, "cache-control": "private, no-cache" };
  return {
    tag,
    fresh: () =>
      new Response(body, { headers: { ...headers, "content-type": "application/json" } }),
    unchanged: () => new Response(null, { status: 304, headers }),
  };
}

/** @see RFC 9110 section 13.1.2 */
function tagMatches(header: string, tag: string): boolean {
  return header.split(",").some((one) =>
    one.trim().replace(/^W\//, "") === tag || one.trim() === "*"
  );
}

/** Reads `?wait=SECONDS`; 0 if it is not there. @throws {AuthError} `request-malformed` */
export function readWait(request: Request): number {
  const text = new URL(request.url).searchParams.get("wait");
  if (text === null) return 0;
  if (!/^\d{1,6}$/.test(text)) {
    throw refusal("request-malformed", {
      message: "The request is wrong: wait must be a whole number of seconds",
    });
  }
  return Math.min(Number(text), MAX_WAIT_SECONDS);
}
