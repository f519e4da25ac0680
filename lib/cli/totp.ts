/**
 * Reads a code as an authenticator shows it: `849 478` and `849-478` are 849478.
 *
 * @returns `null` if it is not 6 to 8 digits.
 */
export function readTotpCode(text: string): string | null {
  const digits = text.replaceAll(/[\s\u00a0-]/g, "");
  return /^[0-9]{6,8}$/.test(digits) ? digits : null;
}
