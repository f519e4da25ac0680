/**
 * What `vnet help TOPIC` shows: the pages of docs/, which an installed program has no files of.
 *
 * @module
 */
import cluster from "../../../docs/cluster.md" with { type: "text" };
import configuration from "../../../docs/configuration.md" with { type: "text" };
import dns from "../../../docs/dns.md" with { type: "text" };
import doctor from "../../../docs/doctor.md" with { type: "text" };
import errors from "../../../docs/errors.md" with { type: "text" };
import start from "../../../docs/getting-started.md" with { type: "text" };
import security from "../../../docs/threat-model.md" with { type: "text" };
import operations from "../../../docs/operations.md" with { type: "text" };
import signIn from "../../../docs/sign-in.md" with { type: "text" };
import { type RefusalCode, REFUSALS } from "../../refusal/mod.ts";
import type { Terminal } from "../context.ts";
import { toAscii } from "../text/ascii.ts";
import { fill } from "../text/fill.ts";
import { renderTable } from "../text/table.ts";
import { headingsOf, renderMarkdown } from "./markdown.ts";

interface Topic {
  readonly name: string;
  readonly file: string;
  readonly about: string;
  readonly text: string;
}

const TOPICS: readonly Topic[] = [
  { name: "start", file: "getting-started.md", about: "The first steps of a user", text: start },
  { name: "errors", file: "errors.md", about: "Every error code, and what to do", text: errors },
  { name: "checks", file: "doctor.md", about: "Every check of vnet doctor", text: doctor },
  { name: "dns", file: "dns.md", about: "Names, zones, and the machine's resolver", text: dns },
  {
    name: "configuration",
    file: "configuration.md",
    about: "Every key of the files and resources",
    text: configuration,
  },
  { name: "cluster", file: "cluster.md", about: "Setting up a cluster and agents", text: cluster },
  {
    name: "sign-in",
    file: "sign-in.md",
    about: "Logging in by an identity provider (OIDC)",
    text: signIn,
  },
  {
    name: "operations",
    file: "operations.md",
    about: "Files, logs, ports, services, backup, upgrades",
    text: operations,
  },
  {
    name: "security",
    file: "threat-model.md",
    about: "What vnet guards against: same-user guard, Host guard",
    text: security,
  },
];

/** The names of the topics. */
export const TOPIC_NAMES: readonly string[] = TOPICS.map(({ name }) => name);

/**
 * Writes a topic, a part of it, or one error code.
 *
 * @param words A topic, and words of one of its headings, or an error code.
 * @returns `null` if there is none.
 */
export function renderTopic(words: readonly string[], terminal: Terminal): string | null {
  const text = findText(words, terminal.columns);
  return text === null || !terminal.ascii ? text : toAscii(text);
}

/** What one may ask for within a topic. */
export function partsOf(name: string): readonly string[] {
  const topic = TOPICS.find((topic) => topic.name === name);
  return topic === undefined ? [] : headingsOf(topic.text);
}

function findText([name = "", ...rest]: readonly string[], columns: number): string | null {
  if (name === "topics") return listTopics(columns);
  const code = rest[0] ?? name;
  const isError = rest.length === 0 || (name === "errors" && rest.length === 1);
  if (isError && Object.hasOwn(REFUSALS, code)) return renderCode(code as RefusalCode, columns);
  const topic = TOPICS.find((topic) => topic.name === name);
  if (topic === undefined) return null;
  const about = rest.length === 0 ? null : rest.join(" ");
  return renderMarkdown(topic.text, { columns, about, topicOf });
}

function listTopics(columns: number): string {
  const rows = TOPICS.map(({ name, about }) => [name, about]);
  const more = "`vnet help TOPIC WORD` shows the parts of a topic whose heading has the word, " +
    "`vnet help CODE` what an error code means: `vnet help login-expired`.";
  return `${renderTable(["TOPIC", "ABOUT"], rows)}\n${fill(more.split(" "), columns, 0)}\n`;
}

function renderCode(code: RefusalCode, columns: number): string {
  const { happened, remedy } = REFUSALS[code];
  const { name, text } = { name: "errors", text: `${happened}\n\nWhat to do: ${remedy}` };
  const shown = renderMarkdown(`# ${name}\n\n## ${code}\n\n${text}\n`, {
    columns,
    about: code,
    topicOf,
  });
  return (shown ?? "").replace(/^.*\n/, `${code}\n`);
}

function topicOf(file: string): string | null {
  return TOPICS.find((topic) => topic.file === file)?.name ?? null;
}
