/**
 * Which files hold tests.
 *
 * @module
 */

const ROOT = new URL("../../", import.meta.url);

/** @returns Every test file below folders of the repository, as paths from its root; sorted. */
export async function testFilesOf(folders: readonly string[]): Promise<string[]> {
  const found = await Promise.all(folders.map(filesBelow));
  return found.flat().sort();
}

async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(`${folder}/`, ROOT))) {
    if (isDirectory) found.push(...await filesBelow(`${folder}/${name}`));
    else if (name.endsWith("_test.ts")) found.push(`${folder}/${name}`);
  }
  return found;
}
