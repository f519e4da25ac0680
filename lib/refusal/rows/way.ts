import type { Refusal } from "../refusal.ts";

/** Connections whose way to the app is cut. */
export const WAY = {
  "target-refused": {
    fault: "network",
    answer: "rst",
    state: "the app refused the connection",
    hint: "Check that the app is running at the `uri` in its agent's configuration",
    happened: "The app refused the agent's connection.",
    remedy: "Check that the app is running at the `uri` in the agent's file.",
  },
  "target-timeout": {
    fault: "network",
    answer: "icmp",
    state: "the app did not answer in time",
    hint: "Check that the agent can reach the app's host and port",
    happened: "The app did not answer the agent in time.",
    remedy: "Check that the agent can reach the app's host and port.",
  },
  "target-unreachable": {
    fault: "network",
    answer: "icmp",
    state: "the agent cannot reach the app",
    hint: "Check the app's `uri` in the agent's configuration: name, address and route",
    happened: "The agent cannot reach the app.",
    remedy: "Check `uri` in the agent's file: name, address, route.",
  },
  "setup-timeout": {
    fault: "network",
    answer: "icmp",
    state: "the far end did not answer in time",
    hint: "Try again; if it persists, see the logs of proxy and agent",
    happened: "The far end did not answer in time.",
    remedy: "Try again; look at the logs of proxy and agent.",
  },
  "no-agent": {
    fault: "network",
    answer: "icmp",
    state: "no agent that serves this app is connected",
    hint: "Ask an administrator whether the agent is running (`vnet ctl status`)",
    happened: "No agent that serves the app is connected.",
    remedy: "Start the agent; `vnet ctl agents ls` shows who is connected.",
  },
  "agent-untrusted": {
    fault: "auth",
    answer: "icmp",
    state: "the other end is no agent of this cluster for this app",
    hint:
      "Run `vnet login` again to refresh what is trusted; if it persists, tell an administrator",
    happened: "The other end is no agent of this cluster for this app.",
    remedy: "`vnet login` again; if it stays, ask an administrator.",
  },
  "proxy-unreachable": {
    fault: "network",
    answer: "icmp",
    state: "the proxy cannot be reached",
    hint: "Check the address, and that no firewall blocks the way to it",
    happened: "The proxy cannot be reached.",
    remedy: "Check its address and the firewalls on the way.",
  },
  "http-proxy-unreachable": {
    fault: "network",
    answer: "icmp",
    state: "the HTTP proxy cannot be reached",
    hint:
      "Check HTTPS_PROXY; without it, if this network needs none, `vnet login` again, or restart the agent",
    happened: "The HTTP proxy that `HTTPS_PROXY` named cannot be reached.",
    remedy: "Check it; `vnet login` again without it if this network needs none.",
  },
  "http-proxy-untrusted": {
    fault: "auth",
    answer: "icmp",
    state: "the HTTP proxy's certificate is not trusted",
    hint:
      "Name the certificate of the authority that issued it: `--ca-file FILE` (agent: `ca_file`)",
    happened: "The certificate of an `https://` HTTP proxy is not trusted; the message says why.",
    remedy:
      "Name the authority that issued it: `--ca-file`, for an agent `ca_file`. `HTTPS_PROXY` must have the proxy's own name.",
  },
  "http-proxy-denied": {
    fault: "network",
    answer: "icmp",
    state: "the HTTP proxy rejected the user name or password",
    hint:
      "Put them into HTTPS_PROXY, percent-encoded: http://USER:PASSWORD@HOST:PORT; then `vnet login` again, or restart the agent",
    happened: "The HTTP proxy rejected the user name or password, or wants them and got none.",
    remedy:
      "Put them into `HTTPS_PROXY`, percent-encoded, and `vnet login` again; for an agent, restart it.",
  },
  "http-proxy-refused": {
    fault: "network",
    answer: "icmp",
    state: "the HTTP proxy refused the connection",
    hint:
      "Ask whoever runs the HTTP proxy to allow CONNECT to the cluster's proxy, or name the cluster in NO_PROXY",
    happened: "The HTTP proxy refused to connect to the cluster; the message has its status.",
    remedy: "It must allow `CONNECT` to the cluster's proxy; or name the cluster in `NO_PROXY`.",
  },
  "proxy-untrusted": {
    fault: "auth",
    answer: "icmp",
    state: "the proxy's certificate is not trusted",
    hint:
      "Log in with `--ca-file FILE` for a company's authority, or with `--ca-pin` and the pin from `vnet ctl status` for the cluster's own",
    happened:
      "The proxy's certificate is not trusted; the message says why: its issuer, its names or its dates.",
    remedy:
      "A company's authority: `--ca-file FILE`, for an agent `ca_file`. The cluster's own: `--ca-pin` with the pin of `vnet ctl status`. Another name: use one that is in the certificate.",
  },
  "ca-pin-mismatch": {
    fault: "auth",
    answer: "icmp",
    state: "no certificate in the proxy's chain matches the CA pin",
    hint:
      "Compare the pin with `vnet ctl status` on the server; if they are equal, something is between you and it",
    happened: "No certificate in the proxy's chain matches the CA pin.",
    remedy:
      "Compare the pin with `vnet ctl status`. If they are equal, something is between you and the proxy.",
  },
  "proxy-timeout": {
    fault: "network",
    answer: "icmp",
    state: "no answer in time",
    hint: "Check the network between you and the proxy",
    happened: "No answer in time.",
    remedy: "Check the network between you and the proxy.",
  },
  "proxy-silent": {
    fault: "network",
    answer: "icmp",
    state: "the proxy is silent",
    hint:
      "Ask whether the proxy runs; a firewall that drops packets looks the same. vnet goes on trying by itself",
    happened:
      "No proxy of the cluster answers: neither the one of the login nor any other that the cluster lists.",
    remedy:
      "Does the proxy run, and does a firewall drop packets to it? vnet uses the first one that answers again.",
  },
  "proxy-in-range": {
    fault: "network",
    answer: "icmp",
    state: "the proxy's address lies in vnet's own range",
    hint:
      "The proxy must keep an address of its own: look at /etc/hosts and at what its name resolves to",
    happened:
      "The address of the proxy, or of the HTTP proxy before it, lies in the range that vnet gives out: it would be reached through itself.",
    remedy:
      "Look at `/etc/hosts` and at what the name resolves to, or choose another range with `vnet up --cidr`.",
  },
  "proxy-closed": {
    fault: "network",
    answer: "icmp",
    state: "the connection was closed before it was ready",
    hint: "Try again; if it persists, see the log of the proxy",
    happened: "The connection was closed before it was ready.",
    remedy: "Try again; look at the log of the proxy.",
  },
  "overloaded": {
    fault: "network",
    answer: "icmp",
    state: "too many connections",
    hint: "Try again in a moment",
    happened: "Too many connections.",
    remedy: "Try again in a moment.",
  },
  "draining": {
    fault: "network",
    answer: "icmp",
    state: "the agent or the proxy is shutting down",
    hint: "Try again in a moment",
    happened: "The agent or the proxy is shutting down.",
    remedy: "Try again in a moment.",
  },
  "audit-failed": {
    fault: "network",
    answer: "icmp",
    state: "the start of the session could not be recorded, so it was not started",
    hint: "Tell an administrator that the cluster cannot write its audit log",
    happened: "The start of the session could not be recorded, so it was not started.",
    remedy: "The server cannot write its audit log: make room on its disk.",
  },
  "protocol-violated": {
    fault: "protocol",
    answer: "icmp",
    state: "the peer said something the protocol does not allow",
    hint: "Check that client, proxy and agent have versions that fit (`vnet version`)",
    happened: "A peer said what the protocol does not allow.",
    remedy:
      "Do the versions fit (`vnet version`)? Is something between the two that rewrites traffic?",
  },
} as const satisfies Record<string, Refusal>;
