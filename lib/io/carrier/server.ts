import { VnetError } from "../../error.ts";
import { decodeJson, encodeJsonFrame, type Frame } from "../../tunnel/mod.ts";
import { type Open, OpenSchema } from "../../wire/mod.ts";
import { Flow, type FlowSummary, type LiveFlow } from "./flow.ts";
import { CarrierLink, type FrameReceiver, violation } from "./link.ts";
import { type ByteStream, closeQuietly } from "../stream.ts";

/** A client keeps an idle carrier for a minute and pings it meanwhile. */
const IDLE_MS = 90_000;
const MAX_MESSAGE = 512;

/** What the agent does for the flows of a carrier. */
export interface CarrierHost {
  /**
   * Decides whether a flow may be, and connects to the app.
   *
   * @throws {VnetError} whose code and message the client is told.
   */
  open(open: Open, signal: AbortSignal): Promise<HostedFlow>;
}

export interface HostedFlow {
  /** Owned by the carrier once given. */
  readonly conn: Deno.Conn;
  /** Called when the client has been told; not at all if it has gone meanwhile. */
  started(flow: LiveFlow): void;
  /** Called once, whatever became of the flow. */
  ended(summary: FlowSummary): void;
}

/**
 * Serves one carrier until it has ended.
 *
 * @param signal Ends the carrier, and a flow on it.
 */
export async function serveCarrier(
  stream: ByteStream,
  host: CarrierHost,
  signal: AbortSignal,
): Promise<void> {
  const carrier = new ServerCarrier(stream, host);
  const close = () => carrier.close();
  if (signal.aborted) close();
  signal.addEventListener("abort", close, { once: true });
  try {
    await carrier.serve();
  } finally {
    signal.removeEventListener("abort", close);
  }
}

/** The agent's end of a carrier. */
class ServerCarrier implements FrameReceiver {
  readonly #host: CarrierHost;
  readonly #link: CarrierLink;
  #opening: AbortController | null = null;
  #work: Promise<void> = Promise.resolve();
  #idleTimer: ReturnType<typeof setTimeout>;

  constructor(stream: ByteStream, host: CarrierHost) {
    this.#host = host;
    this.#link = new CarrierLink(stream, this);
    this.#idleTimer = this.#startIdle();
  }

  async serve(): Promise<void> {
    await this.#link.pump();
    clearTimeout(this.#idleTimer);
    await this.#work;
  }

  close(): void {
    this.#link.close();
  }

  receive(frame: Frame): void {
    if (frame.type === "reset") return this.#link.close();
    if (frame.type !== "open" || this.#opening !== null) {
      return this.#link.close(violation(`"${frame.type}" on an idle carrier`));
    }
    const open = decodeJson(OpenSchema, frame.payload);
    if (open === null) return this.#link.close(violation("an open that cannot be read"));
    clearTimeout(this.#idleTimer);
    const opening = new AbortController();
    this.#opening = opening;
    this.#work = this.#carry(open, opening);
  }

  lost(): void {
    clearTimeout(this.#idleTimer);
    this.#opening?.abort(new Error("The client is gone"));
  }

  async #carry(open: Open, opening: AbortController): Promise<void> {
    let hosted: HostedFlow;
    try {
      hosted = await this.#host.open(open, opening.signal);
    } catch (thrown) {
      this.#opening = null;
      return this.#refuse(thrown);
    }
    this.#opening = null;
    if (!this.#link.isOpen) {
      closeQuietly(hosted.conn);
      return hosted.ended({ sentBytes: 0, receivedBytes: 0, reason: "carrier-lost" });
    }
    const flow = new Flow(this.#link, () => this.#release(), open.reasons === true);
    this.#link.post("ok");
    hosted.started(flow);
    const never = new AbortController().signal; // the carrier's end is the flow's
    hosted.ended(await flow.splice(hosted.conn, never));
  }

  #refuse(thrown: unknown): void {
    if (!this.#link.isOpen) return;
    const { code, message } = thrown instanceof VnetError
      ? thrown
      : { code: "internal", message: "the agent failed" };
    this.#idleTimer = this.#startIdle();
    this.#link.send(encodeJsonFrame("error", { code, message: message.slice(0, MAX_MESSAGE) }))
      .catch((error: Error) => this.#link.close(error));
  }

  #release(): void {
    this.#link.receiver = this;
    this.#idleTimer = this.#startIdle();
  }

  #startIdle(): ReturnType<typeof setTimeout> {
    return setTimeout(() => this.#link.close(), IDLE_MS);
  }
}
