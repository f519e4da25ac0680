import { equal } from "node:assert/strict";
import { type CommandTree, describeUsage } from "./usage.ts";

const BELOW: Readonly<Record<string, readonly string[]>> = {
  "": ["status", "start", "ctl", "help", "completions"],
  "ctl": ["users", "lock"],
  "ctl users": ["add", "ls"],
};
const OPTIONS: Readonly<Record<string, readonly string[]>> = { "status": ["--format"] };
const TREE: CommandTree = {
  commandsBelow: (command) => BELOW[command.join(" ")] ?? [],
  optionsOf: (command) => ["--home", "-v", ...OPTIONS[command.join(" ")] ?? []],
  helpOf: () => "",
};

Deno.test("describeUsage() says what is wrong, what was meant, and where help is", async (t) => {
  const cases: [args: string[], complaint: string, want: [error: string, hint: string]][] = [
    [[], "No matching option, command, or argument found.", [
      "No command was given",
      "Run `vnet help`",
    ]],
    [["ctl", "users"], "No matching option, command, or argument found.", [
      '"ctl users" needs a command after it: add, ls',
      "Run `vnet help ctl users`",
    ]],
    [["ctl"], 'Command "users" was not matched.', [
      '"ctl" needs a command after it: users, lock',
      "Run `vnet help ctl`",
    ]],
    // What another command takes is not what was meant.
    [
      ["status", "--formt"],
      'Unexpected option: "--formt".\n\nDid you mean "--format" or "--roles"?',
      [
        'Unexpected option: "--formt"',
        'Did you mean "--format"? Run `vnet help status`',
      ],
    ],
    [["stats"], 'Unexpected: "stats".\n\nDid you mean one of these?\n  "status"\n  "start"', [
      'There is no command "stats"',
      'Did you mean "status" or "start"? Run `vnet help`',
    ]],
    [["ctl", "nope"], 'Unexpected option or argument: "nope".', [
      'There is no command "ctl nope"',
      "Run `vnet help ctl`",
    ]],
    [["--home", "x", "stats"], 'Unexpected: "stats".', [
      'There is no command "stats"',
      "Run `vnet help`",
    ]],
    [["status", "nope"], 'Unexpected option or argument: "nope".', [
      '"status" takes no argument "nope"',
      "Run `vnet help status`",
    ]],
    [["help", "nope"], 'Unexpected option or argument: "help".', [
      'There is no command "nope"',
      "Run `vnet help`",
    ]],
    [["help", "ctl", "nope"], 'Unexpected option or argument: "help".', [
      'There is no command "ctl nope"',
      "Run `vnet help ctl`",
    ]],
    [["completions", "tcsh"], 'Unexpected option or argument: "completions".', [
      "Completions are for bash, zsh or fish",
      "Run `vnet help completions`",
    ]],
    [["status", "--home"], '"--home" cannot be used multiple times.', [
      'Option "--home" needs a value',
      "Run `vnet help status`",
    ]],
    [["--home", "a", "status", "--home", "b"], '"--home" cannot be used multiple times.', [
      '"--home" cannot be used multiple times',
      "Run `vnet help status`",
    ]],
  ];
  for (const [args, complaint, [error, hint]] of cases) {
    await t.step(args.join(" ") || "nothing", () => {
      equal(describeUsage(complaint, args, TREE), `error: ${error} [usage]\nhint: ${hint}\n`);
    });
  }
});

Deno.test("describeUsage() names the words that are missing after --", () => {
  const help = [
    "Usage: vnet run [--network HOW] -- COMMAND...",
    "",
    "Arguments:",
    "  -- COMMAND  The command and its arguments.",
    "",
  ].join("\n");
  const tree = { ...TREE, helpOf: () => help };
  equal(
    describeUsage("Expected at least 1 value, but got only 0.", ["start"], tree),
    "error: Missing argument -- COMMAND: the command and its arguments [usage]\n" +
      "hint: Run `vnet help start`\n",
  );
});

Deno.test("describeUsage() names the option that is missing with all that may follow it", () => {
  const help = [
    "Usage: vnet ctl users add [--totp] --roles ROLE[,ROLE]... [--password-stdin]",
    "                NAME",
    "",
    "Options:",
    "  --roles ROLE[,ROLE]  What the user may do.",
    "",
  ].join("\n");
  const tree = { ...TREE, helpOf: () => help };
  equal(
    describeUsage("Expected at least 1 value, but got only 0.", ["start"], tree),
    "error: Missing option --roles ROLE[,ROLE]: what the user may do [usage]\n" +
      "hint: Run `vnet help start`\n",
  );
});
