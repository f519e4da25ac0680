import { randomBytes, scrypt } from "node:crypto";
import { equalSecret } from "../../../io/mod.ts";
import { FairQueue, type Lane } from "../../limits/mod.ts";
import { refusal } from "../api/refusals.ts";
import type { PasswordCost } from "../types.ts";

/** About 100 ms and 32 MiB a try. @see OWASP Password Storage Cheat Sheet, scrypt */
const DEFAULT_COST: PasswordCost = { logN: 15, r: 8, p: 3 };
const MIN_PASSWORD_CHARACTERS = 12;

const HASH_BYTES = 32;
const SALT_BYTES = 16;
/** Passwords tried at a time: each takes a core and its memory. */
const MAX_RUNNING = 2;
/** Who waits for that: at 100 ms a try, a few seconds. */
const WAITING = { known: 32, clean: 32, failed: 16 };

/** Whose turn it is to have a password tried. */
interface Turn {
  readonly lane: Lane;
  readonly network: string;
}

/** An administrator's. */
const OWN_TURN: Turn = { lane: "known", network: "" };

/** Hashes passwords and tries them, few at a time. */
export class PasswordHasher {
  readonly #cost: PasswordCost;
  readonly #decoy: string;
  readonly #deriving = new Set<Promise<Uint8Array>>();
  readonly #queue = new FairQueue({ running: MAX_RUNNING, waiting: WAITING });

  private constructor(cost: PasswordCost, decoy: string) {
    this.#cost = cost;
    this.#decoy = decoy;
  }

  static create(cost: PasswordCost = DEFAULT_COST): PasswordHasher {
    // Nobody knows what hashes to this, so it is tried for users who do not exist
    const decoy = format(cost, randomBytes(SALT_BYTES), randomBytes(HASH_BYTES));
    return new PasswordHasher(cost, decoy);
  }

  /** @throws {AuthError} `password-weak` for fewer than 12 characters. */
  async hash(password: string): Promise<string> {
    if ([...password].length < MIN_PASSWORD_CHARACTERS) {
      throw refusal("password-weak", {
        message: "The password is too short",
        hint: `Take at least ${MIN_PASSWORD_CHARACTERS} characters`,
      });
    }
    const salt = randomBytes(SALT_BYTES);
    return format(this.#cost, salt, await this.#derive(password, salt, this.#cost, OWN_TURN));
  }

  /**
   * Tries a password. Takes the same time whether there is a hash or not.
   *
   * @param hash What `hash` gave; `null` if there is no such user: the answer is then `false`.
   * @throws {AuthError} `busy` when too many wait.
   */
  async verify(password: string, hash: string | null, turn: Turn): Promise<boolean> {
    const kept = parse(hash ?? this.#decoy);
    const derived = await this.#derive(password, kept.salt, kept.cost, turn);
    return equalSecret(derived, kept.hash) && hash !== null;
  }

  /** Sends away who waits, and waits for what is being tried: it cannot be called off. */
  async close(): Promise<void> {
    this.#queue.close();
    await Promise.allSettled(this.#deriving);
  }

  async #derive(
    password: string,
    salt: Uint8Array,
    cost: PasswordCost,
    { lane, network }: Turn,
  ): Promise<Uint8Array> {
    if (!await this.#queue.enter(lane, network)) {
      throw refusal("busy", { message: "Too many logins at a time" });
    }
    const deriving = deriveKey(password, salt, cost);
    this.#deriving.add(deriving);
    try {
      return await deriving;
    } finally {
      this.#deriving.delete(deriving);
      this.#queue.leave();
    }
  }
}

function deriveKey(password: string, salt: Uint8Array, cost: PasswordCost): Promise<Uint8Array> {
  const N = 2 ** cost.logN;
  // What scrypt needs, and some room: its own default limit is lower
  const maxmem = 256 * N * cost.r + 1024 * 1024;
  return new Promise((resolve, reject) => {
    const options = { N, r: cost.r, p: cost.p, maxmem };
    scrypt(password.normalize("NFKC"), salt, HASH_BYTES, options, (error, key) => {
      if (error) reject(error);
      else resolve(new Uint8Array(key));
    });
  });
}

function format({ logN, r, p }: PasswordCost, salt: Uint8Array, hash: Uint8Array): string {
  const base64 = (bytes: Uint8Array) => new Uint8Array(bytes).toBase64();
  return `scrypt$${logN}$${r}$${p}$${base64(salt)}$${base64(hash)}`;
}

function parse(text: string): { cost: PasswordCost; salt: Uint8Array; hash: Uint8Array } {
  const [kind, logN, r, p, salt, hash] = text.split("$");
  if (kind !== "scrypt" || salt === undefined || hash === undefined) {
    throw new TypeError("The kept password hash is of an unknown kind");
  }
  return {
    cost: { logN: Number(logN), r: Number(r), p: Number(p) },
    salt: Uint8Array.fromBase64(salt),
    hash: Uint8Array.fromBase64(hash),
  };
}
