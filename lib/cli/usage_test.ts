import { equal } from "node:assert/strict";
import { describeUsage } from "./usage.ts";

const HELP: Readonly<Record<string, string>> = {
  "": "status start ctl --home -v",
  "status": "--format --home -v",
  "ctl": "users lock --home",
  "ctl users": "add ls --home",
};
const helpOf = (command: readonly string[]) => HELP[command.join(" ")] ?? "";

Deno.test("describeUsage() says what is wrong, what was meant, and where help is", async (t) => {
  const cases: [args: string[], complaint: string, want: [error: string, hint: string]][] = [
    [[], "No matching option, command, or argument found.", [
      "No command was given",
      "Run `vnet help`",
    ]],
    [["ctl", "users"], "No matching option, command, or argument found.", [
      '"ctl users" needs another word after it',
      "Run `vnet help ctl users`",
    ]],
    [["ctl"], 'Command "users" was not matched.', [
      '"ctl" needs another word after it',
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
      'Unexpected: "stats"',
      'Did you mean "status" or "start"? Run `vnet help`',
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
      "Run `vnet help`",
    ]],
    [["status", "--home"], '"--home" cannot be used multiple times.', [
      'Option "--home" needs a value',
      "Run `vnet help status`",
    ]],
    [["--home", "a", "status", "--home", "b"], '"--home" cannot be used multiple times.', [
      '"--home" cannot be used multiple times',
      "Run `vnet help`",
    ]],
  ];
  for (const [args, complaint, [error, hint]] of cases) {
    await t.step(args.join(" ") || "nothing", () => {
      equal(describeUsage(complaint, args, helpOf), `error: ${error} [usage]\nhint: ${hint}\n`);
    });
  }
});
