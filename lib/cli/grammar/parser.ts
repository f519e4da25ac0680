/**
 * The command line as one parser: a row per command, each yielding the action to run.
 *
 * @module
 */
import { merge, object, or } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional, withDefault } from "@optique/core/modifiers";
import { flag, option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import * as apps from "../commands/apps.ts";
import * as clusters from "../commands/cluster/clusters.ts";
import * as connect from "../commands/connect/connect.ts";
import * as completions from "../commands/about/completions.ts";
import * as ctl from "../commands/ctl.ts";
import * as demo from "../commands/demo.ts";
import * as doctor from "../commands/doctor.ts";
import * as help from "../commands/about/help.ts";
import * as internal from "../commands/internal.ts";
import * as login from "../commands/login.ts";
import * as logs from "../commands/logs.ts";
import * as man from "../commands/about/man.ts";
import * as mfa from "../commands/connect/mfa.ts";
import * as run from "../commands/connect/run.ts";
import * as resolve from "../commands/resolve.ts";
import * as server from "../commands/server.ts";
import * as service from "../commands/service.ts";
import * as status from "../commands/status.ts";
import * as up from "../commands/up.ts";
import * as zones from "../commands/cluster/zones.ts";
import * as version from "../commands/about/version.ts";

/** They are listed below every command, and would fill its usage line. */
const hidden = "usage";

const globals = object("Global options", {
  home: optional(option("--home", string({ metavar: "DIR" }), {
    description: message`Keep configuration, state and sockets under DIR.`,
    hidden,
  })),
  config: optional(option("--config", string({ metavar: "FILE" }), {
    description: message`The file of the server or the agent; by default in /etc/vnet.`,
    hidden,
  })),
  verbose: withDefault(
    flag("-v", "--verbose", { description: message`Print each step.`, hidden }),
    false,
  ),
  debug: withDefault(
    flag("--debug", {
      description: message`Log every decision, with names and addresses.`,
      hidden,
    }),
    false,
  ),
  quiet: withDefault(
    flag("-q", "--quiet", { description: message`Print errors only.`, hidden }),
    false,
  ),
  noColor: withDefault(
    flag("--no-color", { description: message`No colour, as with NO_COLOR.`, hidden }),
    false,
  ),
  help: withDefault(flag("-h", "--help", { description: message`Show this help.`, hidden }), false),
  version: withDefault(
    flag("--version", { description: message`Print the version.`, hidden }),
    false,
  ),
});

const client = or(
  login.login,
  login.logout,
  up.up,
  up.down,
  up.restart,
  up.wait,
  status.status,
  logs.logs,
);
const names = or(
  apps.apps,
  connect.connect,
  connect.proxy,
  run.run,
  mfa.mfa,
  or(clusters.clusters, zones.zones),
  resolve.resolve,
  doctor.doctor,
  service.service,
);
const cluster = or(server.server, server.agent, ctl.ctl);
const other = or(
  demo.demo,
  version.version,
  version.schema,
  man.man,
  help.help,
  completions.completions,
  internal.helper,
  internal.repair,
  internal.purgeOwn,
  internal.forgetSettings,
  internal.daemon,
  internal.demoInside,
  run.runDaemon,
  run.runHelper,
);

/** Everything `vnet` understands. */
export const PARSER = merge(globals, object({ run: or(client, names, cluster, other) }));
