/** Finds the names of this machine's accounts: those of /etc/passwd, a number for every other. */
export async function userNames(): Promise<(uid: number) => string> {
  const passwd = await Deno.readTextFile("/etc/passwd").catch(() => "");
  const names = new Map(
    passwd.split("\n").map((line) => {
      const [name = "", , uid = ""] = line.split(":");
      return [Number(uid), name] as const;
    }),
  );
  return (uid) => names.get(uid) ?? `${uid}`;
}
