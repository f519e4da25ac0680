/**
 * The back end of a choice.
 *
 * @module
 */
import { OsError } from "../../../../error.ts";
import type { Backend, Place } from "./backend.ts";
import { DirectBackend } from "./direct.ts";
import { NmDnsmasqBackend } from "./nm_dnsmasq.ts";
import { NoneBackend } from "./none.ts";
import { ResolvconfBackend } from "./resolvconf.ts";
import { ResolvedBackend } from "./resolved.ts";
import { type Choice, type OsDnsRequest, serverNeedsPort53 } from "../types.ts";

/** Makes a back end. @throws OsError `dns-server-port` when it cannot lead to the server's port */
export function backendFor(place: Place, choice: Choice, request: OsDnsRequest): Backend {
  const { backend } = choice;
  const { port } = request.server;
  if (serverNeedsPort53(backend) && port !== 53) {
    throw new OsError(
      "dns-server-port",
      `Cannot use DNS back end "${backend}": the DNS server listens on port ${port}, not 53`,
      { call: "apply", errno: "EINVAL", hint: "The host changed meanwhile: run `vnet up` again" },
    );
  }
  switch (backend) {
    case "resolved":
      return new ResolvedBackend(place);
    case "nm-dnsmasq":
      return new NmDnsmasqBackend(place);
    case "openresolv":
    case "debian-resolvconf":
      return new ResolvconfBackend(place, backend);
    case "direct":
      return new DirectBackend(place, choice);
    case "none":
      return new NoneBackend(place);
    default:
      return backend satisfies never;
  }
}
