import type { Refusal } from "../refusal.ts";

/** Apps, and their public addresses, that an agent offers and may not have. */
export const AGENTS = {
  "public-addr-taken": {
    fault: "config",
    hint:
      "Take another public_addr, or have an administrator give it to this app: `vnet ctl edit public_addr/NAME`",
    happened:
      "A public address of an app belongs to another app, to the proxy, or by its form to the app it is named after. It stays so while that app's agents are away.",
    remedy:
      "Take another `public_addr`; or `vnet ctl get public_addr/NAME` shows whose it is, `vnet ctl edit` gives it to another app, `vnet ctl rm` releases it.",
  },
  "public-addr-not-allowed": {
    fault: "config",
    hint:
      "Have an administrator give it to the app (`vnet ctl create`, kind public_addr), or join with a token of `vnet ctl tokens add --public-addr`",
    happened:
      "A public address of an app is nobody's yet, and the agent's token does not allow to take it.",
    remedy:
      "Give it to the app with a `public_addr` resource and `vnet ctl create`; or join with a token of `vnet ctl tokens add --public-addr PATTERN`.",
  },
  "public-addr-untaken": {
    fault: "config",
    hint: "Restart the agent to take it again, or have an administrator give it to the app",
    happened:
      "A public address of an app is nobody's: it was released while the agent was connected, or this agent, or all of them, have taken as many as can be (1024, 10,000).",
    remedy:
      "Restart the agent; or give the address to the app with a `public_addr` resource. `vnet ctl get public_addrs` shows what is taken, `vnet ctl rm` releases one.",
  },
  "app-taken": {
    fault: "config",
    httpStatus: 403,
    hint: "Use another name, or join with a token that names the app: `vnet ctl tokens add --apps`",
    happened:
      "Agents with another token serve an app of that name, and this agent's token does not name it.",
    remedy: "Use another name; or join with a token of `vnet ctl tokens add --apps NAME`.",
  },
  "app-differs": {
    fault: "config",
    hint: "Describe the app as its other agents do: public_addr, labels, description, tcp_ports",
    happened: "Two agents describe an app differently; the one connected longest is believed.",
    remedy: "Describe it in the files of all its agents in the same way.",
  },
  "app-invalid": {
    fault: "config",
    hint: "Change the app in the agent's file",
    happened: "The name or a public address of an app is no DNS name, or it is named twice.",
    remedy: "Correct the agent's file.",
  },
  "apps-too-many": {
    fault: "config",
    httpStatus: 422,
    hint: "Remove apps, or `vnet ctl rm` public addresses that are not used any more",
    happened:
      "The cluster serves as many apps, or has given as many public addresses, as it can; or one agent names more, or longer, apps than it can tell.",
    remedy:
      "Remove apps, or serve some with another agent; `vnet ctl get public_addrs` shows the addresses, `vnet ctl rm` releases one.",
  },
} as const satisfies Record<string, Refusal>;
