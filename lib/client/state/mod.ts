/**
 * Compile, then apply: this folder is the first half. Pure.
 *
 * @module
 */
export {
  type Book,
  BOOK_RANDOM_BYTES,
  type LinkAddresses,
  type NameAddresses,
  newBook,
  parseBook,
  renderAddresses,
  renderBook,
} from "./book.ts";
export type { StateFinding } from "./finding.ts";
export { loginCommand } from "./login_command.ts";
export { type Destination, destinationOf, type Names } from "./names.ts";
export {
  compileState,
  firstState,
  leasesOf,
  type LoginFacts,
  type MachineFacts,
  namesWithin,
  type State,
  type StateInput,
} from "./state.ts";
export { forgetRefusals, noteRefusal } from "./troubles.ts";
