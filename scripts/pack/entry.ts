/**
 * The program as main.ts starts it, without its top-level await: the bundle is a script, and a script cannot
 * wait.
 *
 * @module
 */
import { main } from "../../lib/cli/mod.ts";

main(Deno.args).then((status) => Deno.exit(status));
