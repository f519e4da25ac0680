/** What goes wrong is somebody's to put right: whose. Decides the class of the error, too. */
export type Fault =
  /** What was typed. */
  | "usage"
  /** What somebody wrote down: a file, a resource of a cluster. */
  | "config"
  /** The machine it happens on: its settings, its rights, its other programs. */
  | "machine"
  | "network"
  /** Somebody may not, or is not who they should be. */
  | "auth"
  /** Two programs do not understand each other. */
  | "protocol"
  /** The cluster's server. */
  | "server"
  /** Ours. */
  | "internal";

/** What a program sees whose connection is refused: "connection refused", or "no route to host". */
export type ConnectionAnswer = "rst" | "icmp";

/** What DNS says of a name that cannot be reached for this reason. */
export interface NameError {
  /** Info code of RFC 8914. */
  readonly code: number;
  /** How the name is answered then; `Trouble` of dns/ has the same kinds. */
  readonly kind: "not-logged-in" | "access-denied" | "app-removed" | "no-address";
  /** One short phrase. */
  readonly text: string;
}

/** One way to be refused or to fail: what it means everywhere, and its row in docs/errors.md. */
export interface Refusal {
  readonly fault: Fault;
  /** How the held SYN of a connection is answered; absent for what happens to no connection. */
  readonly answer?: ConnectionAnswer;
  /** Of the cluster's API; absent for what it does not refuse with. */
  readonly httpStatus?: number;
  /** Status of a command that fails with it; absent for the one that all others end with. */
  readonly exitStatus?: 2 | 4 | 5;
  /** Who finds it, if `vnet status` lists it for as long as it lasts. */
  readonly finding?: "plan" | "client" | "helper";
  /** Whether it is the login itself that the cluster will not have any more. */
  readonly endsLogin?: boolean;
  readonly ede?: NameError;
  /** What is the matter, to stand after the act and a colon; no final period. */
  readonly state?: string;
  /** What the reader can do next, as a sentence without a final period. */
  readonly hint?: string;
  /** For the page, in Markdown: "what happened". */
  readonly happened: string;
  /** For the page, in Markdown: "what to do". */
  readonly remedy: string;
}
