/**
 * The words of the tunnel: what a connection says first, how carriers frame bytes, what agents and proxies tell
 * each other. Pure: bytes and values in, bytes and values out.
 *
 * @module
 */
export * from "./address.ts";
export * from "./alert.ts";
export * from "./json_frame.ts";
export * from "./classify.ts";
export * from "./client_hello.ts";
export * from "./frame.ts";
export { HostGuard, type HostNames, type HostVerdict } from "./host_guard.ts";
export { HELD_MAX_BYTES } from "./http_requests.ts";
export * from "./http_connect.ts";
export * from "./socks.ts";
export {
  decodeProxyHeader,
  PROXY_HEADER_MAX_BYTES,
  PROXY_LOCAL_HEADER,
  type ProxyHeaderFault,
  type ProxyHeaderProgress,
} from "./proxy_header.ts";
