/**
 * Descriptors as a kernel keeps them: numbers, several of which may lead to one thing, which ends with the last.
 *
 * @module
 */
import { OsError } from "../../../lib/error.ts";
import type { Descriptor } from "../../../lib/os/mod.ts";

/** What a descriptor leads to. */
export interface Thing {
  /** For people: `tun vnet0`. */
  readonly what: string;
  /** Called when nothing leads to it any more. */
  end?(): void;
}

/** All descriptors of a machine in memory, whichever process's they are. */
export class Descriptors {
  readonly #things = new Map<Descriptor, Thing>();
  readonly #uses = new Map<Thing, number>();
  #next = 100;

  /** What is open, by number: a test that ends has nothing here. */
  get open(): readonly string[] {
    return [...this.#things].map(([descriptor, { what }]) => `${descriptor} ${what}`);
  }

  /** Opens a thing, or opens it once more. */
  add(thing: Thing): Descriptor {
    const descriptor = this.#next++;
    this.#things.set(descriptor, thing);
    this.use(thing);
    return descriptor;
  }

  /** Finds a thing of a kind. @throws OsError errno `EBADF` */
  get<T extends Thing>(descriptor: Descriptor, kind: abstract new (...args: never[]) => T): T {
    const thing = this.find(descriptor);
    if (thing instanceof kind) return thing;
    throw badDescriptor(descriptor);
  }

  /** @throws OsError errno `EBADF` */
  find(descriptor: Descriptor): Thing {
    const thing = this.#things.get(descriptor);
    if (thing === undefined) throw badDescriptor(descriptor);
    return thing;
  }

  /** @throws OsError errno `EBADF` when it is closed already: a number closed twice may be somebody else's. */
  close(descriptor: Descriptor): void {
    const thing = this.find(descriptor);
    this.#things.delete(descriptor);
    this.drop(thing);
  }

  /** Keeps a thing without a number, as a message does that is on its way. */
  use(thing: Thing): void {
    this.#uses.set(thing, (this.#uses.get(thing) ?? 0) + 1);
  }

  drop(thing: Thing): void {
    const uses = (this.#uses.get(thing) ?? 0) - 1;
    if (uses > 0) this.#uses.set(thing, uses);
    else if (this.#uses.delete(thing)) thing.end?.();
  }
}

function badDescriptor(descriptor: Descriptor): OsError {
  return new OsError("descriptor-closed", `Cannot use descriptor ${descriptor}: it is not open`, {
    call: "fcntl",
    errno: "EBADF",
  });
}
