import { join } from "node:path";
import { stringify } from "yaml";
import { readResources, type Resource, type ResourceDocument } from "../../config/mod.ts";
import { ConfigError, type ConfigMistake, VnetError } from "../../error.ts";
import type { AdminClient } from "../../server/mod.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import { openAdmin } from "./open.ts";
import { putDocuments } from "./resources.ts";
import { parseOneResource } from "./what.ts";

/** How a line begins that tells of mistakes; such lines at the top are not part of the text. */
const NOTE = "#! ";

/**
 * Opens one resource in an editor, and again as long as there are mistakes in it. A text that is not saved stays in
 * a file that is named, unless it is what there was.
 */
export async function edit(
  context: Context,
  options: { readonly what: string; readonly name: string | undefined },
): Promise<number> {
  const { kind, name } = parseOneResource(options.what, options.name, "edit");
  using admin = await openAdmin(context);
  const { resources: [resource] } = await admin.call("resources.get", { kind, name });
  const original = resource as unknown as Resource;
  const before = stringify(original);
  await using draft = await Draft.create(`${kind}-${name}.yaml`);
  const outcome = await draft.keepIfThrown(async () => {
    for (let shown = before;;) {
      await draft.write(shown);
      await runEditor(context, draft.path);
      const written = await draft.read();
      const text = withoutNotes(written);
      if (text.trim() === "" || text.trim() === before.trim()) return "unchanged";
      if (written === shown) {
        draft.keep();
        throw new VnetError(
          "cancelled",
          `Nothing was written: there are mistakes in ${draft.path}`,
          {
            hint:
              `Correct it and run \`vnet ctl create ${draft.path}\`, or edit ${kind}/${name} again`,
          },
        );
      }
      const result = await put(admin, { text, original, draft });
      if (typeof result === "string") return result;
      shown = withNotes(text, result);
    }
  });
  context.stdout(`${kind}/${name} ${outcome}\n`);
  return EXIT.done;
}

/** Saves the text in the place of the resource. @returns What became of it, or the mistakes in it. */
async function put(
  admin: AdminClient,
  { text, original, draft }: {
    readonly text: string;
    readonly original: Resource;
    readonly draft: Draft;
  },
): Promise<string | readonly ConfigMistake[]> {
  const file = draft.path;
  const attempt = async (text: string, checkOnly: boolean) => {
    const how = { file, replace: true, checkOnly };
    return await putDocuments(admin, [readOne(text, file, original)], how);
  };
  try {
    const [result] = await attempt(text, false);
    return result?.outcome ?? "unchanged";
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    if (thrown.code === "resource-changed") {
      const { kind, metadata: { name } } = original;
      throw new VnetError(
        "resource-changed",
        `Somebody else changed or removed ${kind}/${name} meanwhile; your text is in ${file}`,
        {
          hint: `Run \`vnet ctl edit ${kind}/${name}\` again and take your change over from there`,
        },
      );
    }
    // Once more below as many lines as the notes will be, so that the lines in the notes are the editor's
    const padding = "#\n".repeat(thrown.mistakes.length + 1);
    return await attempt(padding + text, true).then(
      () => thrown.mistakes,
      (again) => again instanceof ConfigError ? again.mistakes : thrown.mistakes,
    );
  }
}

/** Reads a text that must be the resource, changed. Its revision is the one that was opened, whatever it says. */
function readOne(text: string, file: string, original: Resource): ResourceDocument {
  const [document, ...more] = readResources(text, file);
  if (document === undefined || more.length > 0) {
    throw new ConfigError(file, [{
      path: "",
      found: `${more.length + 1} documents`,
      expected: "the one that was opened; `vnet ctl create FILE` takes several",
    }]);
  }
  if (document.checked.kind === "bad") return document;
  const { value } = document.checked;
  const mistakes = [
    ...value.kind === original.kind ? [] : [
      document.mistake(["kind"], value.kind, `${original.kind}: edit changes what was opened`),
    ],
    ...value.metadata.name === original.metadata.name ? [] : [
      document.mistake(
        ["metadata", "name"],
        `"${value.metadata.name}"`,
        `"${original.metadata.name}": edit does not rename; create another and remove this one`,
      ),
    ],
  ];
  if (mistakes.length > 0) return { ...document, checked: { kind: "bad", mistakes } };
  const metadata = { ...value.metadata, revision: original.metadata.revision };
  return { ...document, checked: { kind: "good", value: { ...value, metadata } as Resource } };
}

function withNotes(text: string, mistakes: readonly ConfigMistake[]): string {
  const notes = [
    "Nothing was written. Correct what follows; these lines are taken away.",
    ...mistakes.map(({ path, found, expected }) =>
      `${path === "" ? "the text" : path}: found ${found}, expected ${expected}`.replaceAll(
        /\s+/g,
        " ",
      )
    ),
  ];
  return notes.map((note) => `${NOTE}${note}\n`).join("") + text;
}

function withoutNotes(text: string): string {
  const lines = text.split("\n");
  const first = lines.findIndex((line) => !line.startsWith(NOTE));
  return lines.slice(first === -1 ? lines.length : first).join("\n");
}

/** @throws {VnetError} `cancelled` when the editor fails. */
async function runEditor(context: Context, path: string): Promise<void> {
  const named = [context.env("VISUAL"), context.env("EDITOR")].find((text) => text?.trim());
  const editor = named ?? "vi";
  // An editor may come with options of its own (`code --wait`), so a shell reads it, as it does for git
  const { code, success } = await new Deno.Command("sh", {
    args: ["-c", `${editor} "$1"`, "sh", path],
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  if (success) return;
  throw new VnetError("cancelled", `Cancelled: the editor "${editor}" ended with status ${code}`, {
    hint: code === 127
      ? "Set VISUAL or EDITOR to an editor that is installed"
      : "Nothing was written",
  });
}

/** A file that only its owner reads, in a folder of its own; both go at the end, unless they are kept. */
class Draft implements AsyncDisposable {
  readonly path: string;
  readonly #directory: string;
  #isKept = false;
  #hasText = false;

  private constructor(directory: string, path: string) {
    this.#directory = directory;
    this.path = path;
  }

  static async create(name: string): Promise<Draft> {
    const directory = await Deno.makeTempDir({ prefix: "vnet-edit-" });
    return new Draft(directory, join(directory, name));
  }

  async write(text: string): Promise<void> {
    await Deno.writeTextFile(this.path, text, { mode: 0o600 });
  }

  async read(): Promise<string> {
    const text = await Deno.readTextFile(this.path);
    this.#hasText = true;
    return text;
  }

  keep(): void {
    this.#isKept = true;
  }

  /** Runs an act; if it fails after somebody wrote a text, the text stays. */
  async keepIfThrown<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (thrown) {
      if (this.#hasText) this.keep();
      throw thrown;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isKept) await Deno.chmod(this.path, 0o600).catch(() => {});
    else await Deno.remove(this.#directory, { recursive: true }).catch(() => {});
  }
}
