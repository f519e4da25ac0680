/**
 * The link of one client: its addresses and the routes that lead into it, kept up while somebody else takes them
 * down, a bounded number of times.
 *
 * @module
 */
import { describeError, OsError, VnetError } from "../error.ts";
import { foreignPrefixes, isPrivateRange } from "../config/mod.ts";
import {
  contains,
  formatIp,
  formatPrefix,
  type IpAddress,
  isPrivatePrefix,
  overlaps,
  type Prefix,
} from "../ip/mod.ts";
import { getLogger } from "../log.ts";
import {
  addAddress,
  addRoute,
  closeFd,
  destroySockets,
  linkUp,
  listAddresses,
  listRoutes,
  NetworkWatch,
  openRaw,
  openTun,
  removeRoute,
  type Shim,
} from "../os/mod.ts";
