/** What to type for another login. @param login By whatever the proxy is called there, and whose it is */
export function loginCommand({ proxy, user }: {
  readonly proxy: string;
  readonly user: string;
}): string {
  return `vnet login ${proxy} --user ${user}`;
}
