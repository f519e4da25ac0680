/**
 * What a person is asked, on their desktop: which question it is and what to type, or to say no.
 *
 * @module
 */
import type { Desktop, Notice } from "../../os/mod.ts";
import { printable } from "../../printable.ts";
import type { Bell } from "../mfa/bell.ts";
import type { MfaDesk, MfaQuestion } from "../mfa/desk.ts";
import type { LoginDesk, LoginQuestion } from "./desk.ts";
import { loginCommand } from "../state/mod.ts";

interface Desks {
  readonly bell: Bell;
  readonly mfa: Pick<MfaDesk, "list" | "decline">;
  readonly logins: Pick<LoginDesk, "list">;
}

/** Shows each question for as long as it waits, until the signal fires. Nothing is asked of who has no desktop. */
export async function showQuestions(
  desktop: Desktop,
  desks: Desks,
  signal: AbortSignal,
): Promise<void> {
  await using notices = desktop.open();
  const shown = new Map<string, () => void>();
  while (!signal.aborted) {
    const { revision } = desks.bell;
    const wanted = noticesOf(desks);
    for (const [key, close] of shown) {
      if (wanted.has(key)) continue;
      close();
      shown.delete(key);
    }
    for (const [key, notice] of wanted) {
      if (!shown.has(key)) shown.set(key, notices.show(notice));
    }
    await desks.bell.changed(revision, signal);
  }
}

function noticesOf({ mfa, logins }: Desks): ReadonlyMap<string, Notice> {
  return new Map([
    ...mfa.list().map((question): [string, Notice] => [
      `code ${question.id}`,
      codeNotice(question, () => decline(mfa, question)),
    ]),
    ...logins.list().map((question): [string, Notice] => [
      `login ${question.proxy} ${question.sinceMs}`,
      loginNotice(question),
    ]),
  ]);
}

function codeNotice({ id, app, cluster, port }: MfaQuestion, onChosen: () => void): Notice {
  return {
    title: printable(`vnet: second factor for ${app}`),
    text: printable(
      `A program connects to "${app}" of ${cluster}, port ${port}. ` +
        `To let it in, run: vnet mfa approve --id ${id} CODE`,
    ),
    action: { label: "Decline", onChosen },
  };
}

function loginNotice(question: LoginQuestion): Notice {
  return {
    title: printable(`vnet: the login to ${question.cluster} has ended`),
    text: printable(`To log in again, run: ${loginCommand(question)}`),
    action: null,
  };
}

function decline(mfa: Desks["mfa"], { id }: MfaQuestion): void {
  // Answered elsewhere meanwhile: there is nothing to decline.
  if (mfa.list().some((question) => question.id === id)) mfa.decline(id);
}
