/**
 * Which tests run together, and which beside each other.
 *
 * @module
 */

/** A part of the tests: one `deno test`, or one for each of its files. */
export interface Step {
  readonly name: string;
  readonly options: readonly string[];
  /** Folders, files, and `*` within a name. */
  readonly paths: readonly string[];
  /** Whether types are checked and the program is built before it begins. */
  readonly wantsBuild?: boolean;
  /** Given if every file is a `deno test` of its own. */
  readonly lanes?: Lanes;
}

/** How a step's files share the processors. */
export interface Lanes {
  /** How many files run at a time. */
  readonly count: number;
  /** Files that take long: they begin, the longest first, so that no lane waits for another's at the end. */
  readonly first: readonly string[];
  /** Files that run when all others are over, with nothing beside them. */
  readonly alone: readonly string[];
}

/** Every test file is in exactly one of these. */
export const STEPS: readonly Step[] = [
  {
    name: "unit",
    options: ["--doc", "--parallel"],
    paths: [
      "lib",
      "ffi/mod.ts",
      "scripts/*_test.ts",
      "scripts/docs",
      "scripts/pictures",
      "scripts/setup",
      "scripts/suite",
      "tests/cli",
      "tests/docs",
      "tests/doubles",
    ],
  },
  {
    // What compiles and packs takes every processor for itself.
    name: "builds",
    options: ["--no-check"],
    wantsBuild: true,
    paths: ["ffi/tests", "scripts/pack", "scripts/npm", "scripts/release"],
  },
  {
    // Half of the time a story waits: for a process to start, for a deadline to pass.
    name: "lab",
    options: ["--no-check"],
    wantsBuild: true,
    paths: ["tests/dns", "tests/e2e", "tests/netns", "tests/lab"],
    lanes: {
      count: 2,
      first: [
        "tests/lab/healing/traces_test.ts",
        "tests/lab/install/service_test.ts",
        "tests/lab/healing/crash_test.ts",
        "tests/lab/names/hosts_test.ts",
        "tests/lab/access/coexist_test.ts",
        "tests/lab/names/reasons_test.ts",
        "tests/lab/names/matrix_test.ts",
        "tests/lab/healing/doctor_test.ts",
      ],
      alone: [],
    },
  },
];

/** What can be tested where the shim cannot be built: the folders that compute and do nothing else. */
export const WITHOUT_SHIM: Step = {
  name: "pure",
  options: ["--doc", "--parallel"],
  paths: [
    ...["ip", "cidr", "dns", "config", "refusal", "plan", "wire", "identity", "tunnel", "health"]
      .map((folder) => `lib/${folder}`),
    "lib/status",
  ],
};

/**
 * The arguments of `deno` that run tests.
 *
 * @param options What the caller wants of `deno test`; from `--` on it is for the tests themselves.
 */
export function commandOf(
  step: Pick<Step, "options" | "paths">,
  options: readonly string[],
): string[] {
  const end = options.indexOf("--");
  const [own, theirs] = end < 0 ? [options, []] : [options.slice(0, end), options.slice(end)];
  return ["test", "-A", ...step.options, ...own, ...step.paths, ...theirs];
}

/** The order in which lanes take files: first those that take long, then by name; apart from them, who runs alone. */
export function queueOf(
  files: readonly string[],
  lanes: Lanes,
): { readonly shared: string[]; readonly alone: string[] } {
  const rank = (file: string) => {
    const at = lanes.first.indexOf(file);
    return at < 0 ? lanes.first.length : at;
  };
  const sorted = [...files].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  const isAlone = (file: string) => lanes.alone.includes(file);
  return { shared: sorted.filter((file) => !isAlone(file)), alone: sorted.filter(isAlone) };
}
