import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import { callsIn, complaintOf } from "./command_lines.ts";
import { blocksOf, proseOf, readPages } from "./pages.ts";

Deno.test("every command line in a block of shell is understood by the program", async () => {
  const seen: string[] = [];
  const bad: string[] = [];
  for (const { path, text } of await readPages()) {
    for (const block of blocksOf(text).filter(({ language }) => SHELL.has(language))) {
      for (const [i, line] of shellLines(block.language, block.text)) {
        for (const args of callsIn(line)) {
          seen.push(line);
          const complaint = complaintOf(args);
          if (complaint !== null) bad.push(`${path}:${block.line + i}: ${line}: ${complaint}`);
        }
      }
    }
  }
  ok(seen.length > 20, "the pages have command lines");
  deepEqual(bad, []);
});

Deno.test("every command that the text names exists", async () => {
  const seen: string[] = [];
  const bad: string[] = [];
  for (const { path, text } of await readPages()) {
    for (
      const [, code = ""] of proseOf(text).matchAll(/`((?:sudo |[A-Z_]+=\S+ )*vnet [^`\n]+)`/g)
    ) {
      for (const args of callsIn(code.replaceAll("…", " "))) {
        seen.push(code);
        // Half a command line is enough to name a command: then its help must be there.
        const words = args.filter((arg) => /^[a-z]/.test(arg));
        const complaint = complaintOf(args) && complaintOf([...words, "--help"]);
        if (complaint !== null) bad.push(`${path}: ${code}: ${complaint}`);
      }
    }
  }
  ok(seen.length > 20, "the pages name commands");
  deepEqual(bad, []);
});

Deno.test("callsIn() finds vnet where a shell would start it", () => {
  const cases: [line: string, want: string[][]][] = [
    ["vnet status   # a comment, vnet down", [["status"]]],
    ["sudo vnet up --detach", [["up", "--detach"]]],
    ["VNET_CONFIG=s.yaml vnet ctl status", [["ctl", "status"]]],
    ['vnet ctl lock user a --message "left; gone" | cat', [
      ["ctl", "lock", "user", "a", "--message", "left; gone"],
    ]],
    ["vnet status && sudo vnet down > 'a b'", [["status"], ["down"]]],
    ["echo vnet up; export X=vnet", []],
  ];
  for (const [line, want] of cases) deepEqual(callsIn(line), want);
});

Deno.test("complaintOf() parses and runs nothing", () => {
  equal(complaintOf(["down"]), null);
  equal(complaintOf(["help", "ctl", "lock"]), null);
  equal(complaintOf(["completions", "bash"]), null);
  notEqual(complaintOf(["bogus"]), null);
  notEqual(complaintOf(["status", "--bogus"]), null);
  notEqual(complaintOf(["resolve"]), null);
  notEqual(complaintOf(["help", "bogus"]), null);
});

const SHELL: ReadonlySet<string> = new Set(["sh", "console", "bash"]);

/** The lines that are commands: in a console the ones behind a prompt. Lines that go on are one. */
function shellLines(language: string, text: string): [index: number, line: string][] {
  const lines = text.replaceAll(/\\\n/g, " ").split("\n");
  return lines.flatMap((line, i): [number, string][] => {
    if (language !== "console") return [[i, line]];
    return line.startsWith("$ ") ? [[i, line.slice(2)]] : [];
  });
}
