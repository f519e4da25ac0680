import { deepEqual, ok } from "node:assert/strict";
import { dirname, normalize } from "node:path";
import { anchorOf, type Page, proseOf, readPages, ROOT } from "./pages.ts";

const LINK = /\]\(([^)\s]+)\)/g;

Deno.test("every relative link of the pages leads to a file, and to a heading if it names one", async () => {
  const pages = await readPages();
  const links = pages.flatMap((page) => linksOf(page).map((target) => ({ page, target })));
  ok(links.length > 10, "the pages have links");
  const broken: string[] = [];
  for (const { page, target } of links) {
    if (!await leadsSomewhere(page, target)) broken.push(`${page.path}: ${target}`);
  }
  deepEqual(broken, []);
});

Deno.test("every page of docs/ is linked from another page", async () => {
  const pages = await readPages();
  const linked = new Set(
    pages.flatMap((page) =>
      linksOf(page).map((target) => normalize(`${dirname(page.path)}/${target.split("#")[0]}`))
        .filter((path) => path !== page.path)
    ),
  );
  const alone = pages.map(({ path }) => path).filter((path) => path.startsWith("docs/"));
  deepEqual(alone.filter((path) => !linked.has(path)), []);
});

function linksOf(page: Page): string[] {
  return [...proseOf(page.text).matchAll(LINK)].map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

async function leadsSomewhere(page: Page, target: string): Promise<boolean> {
  const [file = "", anchor] = target.split("#");
  const path = file === "" ? page.path : normalize(`${dirname(page.path)}/${file}`);
  const info = await Deno.stat(`${ROOT}${path}`).catch(() => null);
  if (info === null) return false;
  if (anchor === undefined) return true;
  const prose = proseOf(await Deno.readTextFile(`${ROOT}${path}`));
  return [...prose.matchAll(/^#+ (.+)$/gm)].some(([, text = ""]) => anchorOf(text) === anchor);
}
