/**
 * The auth service: users, roles, certificates, tokens, locks, audit, and the HTTP API over them.
 *
 * @module
 */
import type { AuthOptions, AuthService } from "./types.ts";

export * from "./types.ts";

export declare const Auth: { open(options: AuthOptions): Promise<AuthService> };
