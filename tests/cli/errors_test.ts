import { type Refusal, REFUSALS } from "../../lib/refusal/mod.ts";

Deno.test("the table of errors is as it was seen last", async (t) => {
  const rows = Object.entries<Refusal>(REFUSALS).map(([code, row]) => {
    const { fault, exitStatus, httpStatus, answer, state, hint, happened, remedy } = row;
    const facts = [fault, ...(exitStatus === undefined ? [] : [`exit ${exitStatus}`])];
    if (httpStatus !== undefined) facts.push(`HTTP ${httpStatus}`);
    if (answer !== undefined) facts.push(answer);
    return [
      `${code} (${facts.join(", ")})`,
      ...(state === undefined ? [] : [`  state     ${state}`]),
      ...(hint === undefined ? [] : [`  hint      ${hint}`]),
      `  happened  ${happened}`,
      `  remedy    ${remedy}`,
    ].join("\n");
  });
  await t.assertSnapshot(rows.join("\n"));
});
