import { randomBytes, scrypt } from "node:crypto";
import { equalSecret } from "../../../io/mod.ts";
import { refusal } from "../api/refusals.ts";
import type { PasswordCost } from "../types.ts";

/** About 100 ms and 32 MiB a try. @see OWASP Password Storage Cheat Sheet, scrypt */
const DEFAULT_COST: PasswordCost = { logN: 15, r: 8, p: 3 };
const MIN_PASSWORD_CHARACTERS = 12;

const HASH_BYTES = 32;
const SALT_BYTES = 16;
/** Passwords tried at a time: each takes a core and its memory. */
const MAX_RUNNING = 2;
const MAX_QUEUED = 64;

/** Hashes passwords and tries them, few at a time. */
export class PasswordHasher {
  readonly #cost: PasswordCost;
  readonly #decoy: string;
  readonly #queue: (() => void)[] = [];
  #running = 0;

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
    return format(this.#cost, salt, await this.#derive(password, salt, this.#cost));
  }

  /**
   * Tries a password. Takes the same time whether there is a hash or not.
   *
   * @param hash What `hash` gave; `null` if there is no such user: the answer is then `false`.
   * @throws {AuthError} `busy` when too many wait.
   */
  async verify(password: string, hash: string | null): Promise<boolean> {
    const kept = parse(hash ?? this.#decoy);
    const derived = await this.#derive(password, kept.salt, kept.cost);
    return equalSecret(derived, kept.hash) && hash !== null;
  }

  async #derive(password: string, salt: Uint8Array, cost: PasswordCost): Promise<Uint8Array> {
    await this.#enter();
    try {
      return await deriveKey(password, salt, cost);
    } finally {
      const next = this.#queue.shift();
      // The place goes straight to whoever is next, so that nobody slips in between
      if (next === undefined) this.#running--;
      else next();
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < MAX_RUNNING) {
      this.#running++;
      return;
    }
    if (this.#queue.length >= MAX_QUEUED) {
      throw refusal("busy", { message: "Too many logins at a time" });
    }
    await new Promise<void>((resolve) => this.#queue.push(resolve));
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
