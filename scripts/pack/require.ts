/**
 * Gives the bundle the runtime's own modules. Others are not there, and packages that can do without one expect
 * to be told by an exception.
 */
export function requireBuiltin(name: string): object {
  const module = process.getBuiltinModule(name);
  if (module !== undefined) return module;
  throw Object.assign(new Error(`Cannot find module "${name}"`), { code: "MODULE_NOT_FOUND" });
}
