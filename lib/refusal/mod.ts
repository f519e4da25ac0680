/**
 * Every way to be refused or to fail, once: code → whose fault it is, how a connection is answered, the API's
 * status, what DNS says, the words, and the row of the page. Pure.
 *
 * @module
 * @see docs/errors.md, which scripts/docs/error_pages.ts writes from here
 */
export { refusalError, toldError } from "./error.ts";
export {
  connectionAnswer,
  endsLogin,
  isApiRefusal,
  isConnectionRefusal,
  isFindingCode,
  isRefusalCode,
  nameErrorOf,
  pageOf,
  readConnectionRefusal,
  readRefusalCode,
  refusalOf,
} from "./lookup.ts";
export type { ConnectionAnswer, Fault, NameError, Refusal } from "./refusal.ts";
export {
  type ApiRefusalCode,
  type ConnectionRefusalCode,
  type FindingCode,
  type OfferRefusalCode,
  type PlanWarningCode,
  type RefusalCode,
  REFUSALS,
  type Section,
  SECTIONS,
  type Told,
} from "./table.ts";
