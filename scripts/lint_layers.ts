/**
 * The import rule of .github/ARCHITECTURE.md as a lint plugin: which folder may import which, through which
 * door, and what pure folders may not touch. `deno lint` runs it; to let a folder import another one, change
 * the table there and here in one commit.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

/** For each pure folder of lib/, the folders it may import from besides itself. */
const PURE: Readonly<Record<string, readonly string[]>> = {
  ip: [],
  cidr: ["ip"],
  dns: ["ip"],
  config: ["ip", "cidr", "dns"],
  refusal: [],
  plan: ["ip", "cidr", "dns", "config", "refusal"],
  wire: ["ip", "dns", "config", "refusal"],
  identity: ["ip", "dns", "config"],
  tunnel: ["ip", "dns", "identity", "refusal"],
  health: ["ip", "cidr", "dns", "config", "plan", "refusal"],
  status: ["config", "refusal"],
};
const EVERY_PURE = Object.keys(PURE);

/** The same for adapters and shells. */
const EFFECTFUL: Readonly<Record<string, readonly string[]>> = {
  os: ["ip", "cidr", "dns", "health"],
  io: ["ip", "dns", "refusal", "wire", "identity", "tunnel"],
  client: [...EVERY_PURE, "os", "io"],
  helper: ["ip", "dns", "config", "plan", "wire", "os"],
  server: [...EVERY_PURE, "io"],
  cli: [...EVERY_PURE, "os", "io", "client", "helper", "server"],
};

/** Modules directly in lib/, and whether pure folders may import them. */
const LEAVES: Readonly<Record<string, { readonly pureMayImport: boolean }>> = {
  "error.ts": { pureMayImport: true },
  "version.ts": { pureMayImport: true },
  "json.ts": { pureMayImport: true },
  "printable.ts": { pureMayImport: true },
  "log.ts": { pureMayImport: false },
  "wait.ts": { pureMayImport: false },
};

/** Modules that others may enter beside their folder's `mod.ts`: what a command needs before it loads the rest. */
const DOORS: readonly string[] = [
  "lib/client/control/client.ts",
  "lib/client/paths.ts",
  "lib/config/duration.ts",
  "lib/config/up/up_flags.ts",
  "lib/dns/mode.ts",
  "lib/io/files.ts",
  "lib/server/auth/admin/client.ts",
  "lib/wire/helper.ts",
];

/** Parts of other folders that are pure as well. */
const PURE_PARTS: readonly string[] = ["lib/client/state/"];

/** A kind of cluster is known by its driver: in the client only these folders may name a wire. */
const WIRE_PARTS: readonly string[] = ["lib/client/cluster/own/"];

/** What of `io` speaks our own protocol; the rest of it knows none. */
const WIRE_NAMES: readonly string[] = [
  "AppCredentials",
  "CarrierFlow",
  "CarrierPool",
  "CarrierTarget",
  "HttpClient",
  "ServerSettings",
  "ServerTrust",
  "dialServer",
];

/** The handle of the C shim, and what loads it: everybody else is given a machine. */
const SHIM_NAMES: readonly string[] = ["Shim", "loadShim"];

/** Packages that compute and do nothing else. */
const PURE_PACKAGES: readonly string[] = ["zod", "yaml", "tldts", "re2js"];

/** Globals that reach outside the process, the clock or chance. */
const EFFECTS: readonly string[] = [
  "Deno",
  "Date",
  "EventSource",
  "WebSocket",
  "Worker",
  "caches",
  "console",
  "crypto",
  "fetch",
  "globalThis",
  "localStorage",
  "navigator",
  "performance",
  "process",
  "sessionStorage",
  "setImmediate",
  "setInterval",
  "setTimeout",
];

/** Members of otherwise pure globals that are not. */
const EFFECTFUL_MEMBERS: readonly string[] = ["Math.random", "Temporal.Now"];

/** A module's place: the folder below the root, and for lib/ the folder below that. */
interface Place {
  readonly path: string;
  readonly top: string;
  /** Folder of lib/, or `null` for a leaf of lib/ and outside lib/. */
  readonly folder: string | null;
}

const ROOT = new URL("../", import.meta.url);

/** @returns Where a module lies, or `null` outside the repository. */
function placeOf(url: URL): Place | null {
  if (!url.href.startsWith(ROOT.href)) return null;
  const path = url.href.slice(ROOT.href.length);
  const [top = "", second = ""] = path.split("/");
  const deep = path.split("/").length > 2;
  return { path, top, folder: top === "lib" && deep ? second : null };
}

function isTest(place: Place): boolean {
  return place.path.endsWith("_test.ts");
}

function isPure(place: Place): boolean {
  if (place.folder === null || isTest(place)) return false;
  return place.folder in PURE || isPurePart(place);
}

function isPurePart(place: Place): boolean {
  return PURE_PARTS.some((part) => place.path.startsWith(part));
}

/** Says whether a module is of the client and none of those that may know a wire. */
function isBeforeDriver(place: Place): boolean {
  return place.folder === "client" && !isTest(place) &&
    !WIRE_PARTS.some((part) => place.path.startsWith(part));
}

/** A complaint about one import, without its node. */
interface Complaint {
  readonly message: string;
  readonly hint?: string;
}

/** Judges one import. @returns What is wrong with it, or `null`. */
function judgeImport(from: Place, specifier: string): Complaint | null {
  if (specifier.startsWith(".") || specifier.startsWith("/") || specifier.startsWith("file:")) {
    const to = placeOf(new URL(specifier, new URL(from.path, ROOT)));
    return to === null
      ? { message: `"${specifier}" leads out of the repository` }
      : judgePath(from, to);
  }
  if (/^(jsr:|https?:|@std\/|@jsr\/)/.test(specifier)) {
    return {
      message: `"${specifier}" does not come from the npm registry`,
      hint: "JSR and URLs are not reachable from every build network",
    };
  }
  return judgePackage(from, specifier);
}

function judgePackage(from: Place, specifier: string): Complaint | null {
  if (isTest(from)) return null;
  if (specifier === "deno_tun") {
    if (from.folder === "os" || !["lib", "main.ts"].includes(from.top)) return null;
    return {
      message: `Only lib/os imports "deno_tun"`,
      hint: "Give lib/os what you need of the shim",
    };
  }
  if (isPure(from) && !PURE_PACKAGES.includes(specifier)) {
    return {
      message: `lib/${from.folder} is pure: it must not import "${specifier}"`,
      hint: `Pure folders may import: ${PURE_PACKAGES.join(", ")}`,
    };
  }
  return null;
}

function judgePath(from: Place, to: Place): Complaint | null {
  if (from.top === "ffi" && to.top !== "ffi") {
    return { message: `ffi/ is a package of its own: it must not import ${to.path}` };
  }
  if (from.path === "main.ts" && to.path !== "lib/cli/mod.ts") {
    return { message: `main.ts imports lib/cli/mod.ts and nothing else` };
  }
  if (from.top !== "lib" || isTest(from)) return null;
  // `vnet help` shows them: they are texts in the program.
  if (from.folder === "cli" && /^docs\/[^/]+\.md$/.test(to.path)) return null;
  if (to.top !== "lib") return { message: `lib/ must not import ${to.path}` };
  return to.folder === null ? judgeLeaf(from, to) : judgeFolder(from, to, to.folder);
}

function judgeLeaf(from: Place, to: Place): Complaint | null {
  const leaf = LEAVES[to.path.slice("lib/".length)];
  if (leaf === undefined) return { message: `${to.path} is not one of lib/'s leaves` };
  if (leaf.pureMayImport || !isPure(from)) return null;
  return {
    message: `lib/${from.folder} is pure: it must not import ${to.path}`,
    hint: "Return an event and let the shell log it or wait",
  };
}

function judgeFolder(from: Place, to: Place, folder: string): Complaint | null {
  const mine = judgeParts(from, to, folder);
  if (mine !== null || folder === from.folder) return mine;
  if (from.folder === null) return { message: `A leaf of lib/ must not import ${to.path}` };
  const allowed = PURE[from.folder] ?? EFFECTFUL[from.folder];
  if (allowed === undefined) {
    return {
      message: `lib/${from.folder} is not in the import rule`,
      hint: "Add its row to .github/ARCHITECTURE.md and scripts/lint_layers.ts",
    };
  }
  if (!allowed.includes(folder)) {
    return {
      message: `lib/${from.folder} must not import lib/${folder}`,
      hint: `It may import: ${allowed.join(", ") || "nothing"}`,
    };
  }
  if (/^lib\/\w+(\/\w+)?\/mod\.ts$/.test(to.path) || DOORS.includes(to.path)) return null;
  return { message: `lib/${folder} is entered by its mod.ts`, hint: `Not by ${to.path}` };
}

/** Judges what the parts of the client may import of each other, and of the wire. */
function judgeParts(from: Place, to: Place, folder: string): Complaint | null {
  if (isPurePart(from) && !(folder in PURE) && !isPurePart(to)) {
    return {
      message: `${from.path} compiles and does nothing else: it must not import ${to.path}`,
    };
  }
  if (!isBeforeDriver(from)) return null;
  const hint = "Ask lib/client/cluster/driver.ts for what you need of a cluster";
  if (folder === "wire" && to.path !== "lib/wire/helper.ts") {
    return { message: `${from.path} must not know the wire of a kind of cluster`, hint };
  }
  const part = WIRE_PARTS.find((part) => to.path.startsWith(part));
  const isDoor = part !== undefined && to.path === `${part}mod.ts` &&
    from.path === "lib/client/cluster/drivers.ts";
  return part === undefined || isDoor
    ? null
    : { message: `${from.path} must not know one kind of cluster`, hint };
}

/** Says whether an identifier names a thing, and not merely a member or key that happens to be called so. */
function isReference(node: Deno.lint.Identifier): boolean {
  const { parent } = node;
  switch (parent.type) {
    case "MemberExpression":
      return parent.property !== node || parent.computed;
    case "Property":
      return parent.value === node || parent.computed;
    case "PropertyDefinition":
    case "MethodDefinition":
    case "TSPropertySignature":
    case "TSMethodSignature":
      return parent.key !== node || parent.computed;
    case "TSQualifiedName":
      return parent.left === node;
    case "ImportSpecifier":
    case "ExportSpecifier":
      return false;
    default:
      return true;
  }
}

/** @returns `Object.member` as written, or `null` if the parts are not plain names. */
function memberText(node: Deno.lint.MemberExpression): string | null {
  const { object, property } = node;
  if (object.type !== "Identifier" || property.type !== "Identifier") return null;
  return `${object.name}.${property.name}`;
}

function placeOfContext(context: Deno.lint.RuleContext): Place | null {
  return placeOf(new URL(`file://${encodeURI(context.filename)}`));
}

/** What is asked of a node on the way up; not every kind of node has a parent. */
interface Ancestor {
  readonly type: string;
  readonly parent?: Ancestor | null;
}

/** Says whether code runs while its module loads, and not only when somebody calls it. */
function runsOnLoad(node: Ancestor): boolean {
  if (/Function(Declaration|Expression)$/.test(node.type)) return false;
  return node.parent == null || runsOnLoad(node.parent);
}

/** The rules; ids are `vnet/layers`, `vnet/pure`, `vnet/driver`, `vnet/no-dlopen`, `vnet/shim` and `vnet/lazy-import-meta`. */
const plugin: Deno.lint.Plugin = {
  name: "vnet",
  rules: {
    layers: {
      create(context) {
        const from = placeOfContext(context);
        if (from === null) return {};
        const check = (node: Deno.lint.Node, source: Deno.lint.Node | null | undefined) => {
          if (source?.type !== "Literal" || typeof source.value !== "string") return;
          const complaint = judgeImport(from, source.value);
          if (complaint !== null) context.report({ node, ...complaint });
        };
        return {
          ImportDeclaration: (node) => check(node, node.source),
          ExportNamedDeclaration: (node) => check(node, node.source),
          ExportAllDeclaration: (node) => check(node, node.source),
          ImportExpression: (node) => check(node, node.source),
        };
      },
    },
    pure: {
      create(context) {
        const from = placeOfContext(context);
        if (from === null || !isPure(from)) return {};
        const report = (node: Deno.lint.Node, name: string) =>
          context.report({
            node,
            message: `lib/${from.folder} is pure: it must not use ${name}`,
            hint: `Take what ${name} gives as an argument`,
          });
        return {
          Identifier(node) {
            if (EFFECTS.includes(node.name) && isReference(node)) report(node, node.name);
          },
          MemberExpression(node) {
            const text = memberText(node);
            if (text !== null && EFFECTFUL_MEMBERS.includes(text)) report(node, text);
          },
        };
      },
    },
    driver: {
      create(context) {
        const from = placeOfContext(context);
        if (from === null || !isBeforeDriver(from)) return {};
        return {
          ImportSpecifier(node) {
            const { imported } = node;
            if (imported.type !== "Identifier" || !WIRE_NAMES.includes(imported.name)) return;
            context.report({
              node,
              message: `${imported.name} speaks the wire of a kind of cluster`,
              hint: "Ask lib/client/cluster/driver.ts for what you need of a cluster",
            });
          },
        };
      },
    },
    shim: {
      create(context) {
        const from = placeOfContext(context);
        if (from === null || from.folder === "os" || from.top === "ffi") return {};
        const check = (node: Deno.lint.Node, name: Deno.lint.Node) => {
          if (name.type !== "Identifier" || !SHIM_NAMES.includes(name.name)) return;
          context.report({
            node,
            message: "Only lib/os holds the shim",
            hint:
              "Take a Machine, or the port of it that is needed; thisMachine() gives the real one",
          });
        };
        return {
          ImportSpecifier: (node) => check(node, node.imported),
          ExportSpecifier: (node) => check(node, node.local),
          "ObjectPattern > Property": (node: Deno.lint.Property) => check(node, node.key),
        };
      },
    },
    "lazy-import-meta": {
      create(context) {
        const from = placeOfContext(context);
        if (from === null || !["lib", "ffi"].includes(from.top) || isTest(from)) return {};
        return {
          MetaProperty(node) {
            if (!runsOnLoad(node)) return;
            context.report({
              node,
              message: "import.meta is not there while a bundled module loads",
              hint: "Read it in a function that is called only when running from source",
            });
          },
        };
      },
    },
    "no-dlopen": {
      create(context) {
        const from = placeOfContext(context);
        if (from === null || from.top === "ffi") return {};
        return {
          Identifier(node) {
            if (node.name !== "dlopen") return;
            context.report({
              node,
              message: "Only ffi/ opens libraries",
              hint: `lib/os loads the shim through "deno_tun"`,
            });
          },
        };
      },
    },
  },
};

/** Where the repository lies, for the plugin's own test. */
export const root: string = fileURLToPath(ROOT);

// The lint runner asks for a default export.
export default plugin;
