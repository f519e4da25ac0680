/**
 * What the keys of the configuration mean: the words of docs/configuration.md. Which keys there are, the program
 * says itself; config_reference.ts holds one against the other.
 *
 * @module
 */
import {
  compileRole,
  parseAgentFile,
  parseClientFile,
  parseHelperPolicy,
  parseResources,
  parseServerFile,
} from "../../lib/config/mod.ts";
import type { KeyWords, Part } from "./config_reference.ts";

export const INTRODUCTION = `
# Configuration

Every key of the files and of the resources. \`deno run -A scripts/docs/config_reference.ts\` writes
this page by asking the program what it accepts; a test sees to it that it is up to date.
[cluster.md](cluster.md) shows how the pieces fit.

The files are YAML, or JSON. An unknown key is an error. All mistakes are told at once, with file,
key, line, what was found and what was expected. Durations are whole numbers with units, largest
first: \`12h\`, \`1h30m\`, \`90s\`, \`7d\`. In a list, \`[]\` stands for each entry.

A client's user has no file: what it needs it gets by \`vnet login\` and the options of \`vnet up\`.

| variable | what it does |
| --- | --- |
| \`VNET_CONFIG\` | The file of \`vnet server\`, \`vnet agent\` and \`vnet ctl\`, when \`--config\` is not given; without either \`/etc/vnet/server.yaml\`, and \`/etc/vnet/agent.yaml\` of \`vnet agent\`. |
| \`VNET_HOME\` | The client's folder, when \`--home\` is not given. |
| \`NO_COLOR\` | When set: no colour, as with \`--no-color\`. |
| \`HTTPS_PROXY\`, \`HTTP_PROXY\` | The HTTP proxy on the way to the cluster, \`http://[USER:PASSWORD@]HOST[:PORT]\` or \`https://…\`, the first that is set; also in lower case. Read by \`vnet login\`, which remembers it, and \`vnet agent start\`. See [operations](operations.md#through-an-http-proxy). |
| \`NO_PROXY\` | Hosts that are reached without it: names, which mean what is below them too, addresses, ranges, \`:PORT\` after either, \`*\` for all. |
| \`SSL_CERT_FILE\`, \`SSL_CERT_DIR\` | Certificates of authorities to trust beside the public ones: a PEM file, and directories between colons, each in the place of the distribution's. Read by \`vnet login\`, which remembers what is in them, the daemon and \`vnet agent start\`. See [operations](operations.md#a-certificate-of-your-own-authority). |
| \`XDG_CONFIG_HOME\`, \`XDG_STATE_HOME\`, \`XDG_RUNTIME_DIR\` | Where the client's folders are, without \`--home\`; under \`sudo\` they do not count. |
`;

const LOG: Readonly<Record<string, KeyWords>> = {
  "log": { text: "What is logged, to stderr." },
  "log.level": {
    text: "The least important thing that is logged. Names and addresses appear from `debug` on.",
    default: "info",
  },
  "log.format": { text: "Lines for people, or a JSON object a line.", default: "text" },
};

const APPS: Readonly<Record<string, KeyWords>> = {
  "app_service": { text: "The apps this process serves." },
  "app_service.apps": { text: "The apps; at most 5000." },
  "app_service.apps[].name": { text: "The app's name, once in a file." },
  "app_service.apps[].uri": {
    text: "Where connections go. With `tcp_ports` it has no port: the one asked for is dialled.",
  },
  "app_service.apps[].public_addr": {
    text:
      "The names clients reach it by. Without one: `<name>.<host of the proxy's first public_addr>`.",
  },
  "app_service.apps[].labels": {
    text:
      'What roles choose by. `vnet/host-guard: "off"` lets plain HTTP requests to the app name any host.',
    default: {},
  },
  "app_service.apps[].description": { text: "A text for people; in `vnet apps ls --format json`." },
  "app_service.apps[].tcp_ports": {
    text:
      "The ports that may be connected to. Without it, connections to any port go to the port in `uri`.",
  },
  "app_service.apps[].tcp_ports[].port": { text: "A port, or the first of a range." },
  "app_service.apps[].tcp_ports[].end_port": { text: "The last port of the range." },
};

const SSH: Readonly<Record<string, KeyWords>> = {
  "ssh_service": { text: "Reserved. This version serves no SSH hosts." },
  "ssh_service.enabled": { text: "Only `false` is accepted." },
};

const metadataOf = (kind: string): Readonly<Record<string, KeyWords>> => ({
  "kind": { text: "Which kind of resource this is.", expected: JSON.stringify(kind) },
  "version": { text: "The version of its form." },
  "metadata": { text: "What every resource has." },
  "metadata.name": { text: "Its name, once among its kind." },
  "metadata.description": { text: "A text for people." },
  "metadata.revision": {
    text:
      "What `vnet ctl get` showed. With it, `vnet ctl create` replaces that revision and no other.",
  },
  "spec": { text: "What this kind has." },
});

const SELECTOR =
  'every key must match, by any of its values. [How values are matched](cluster.md#labels). `{ "*": "*" }` is every app';

/** Everything on the page, in its order. */
export const PARTS: readonly Part[] = [
  {
    title: "The server's file",
    text:
      "`/etc/vnet/server.yaml`, or what `--config` names. Read by `vnet server start`, and by `vnet ctl` to find the server. One process is the cluster's auth, its proxy and, if it has apps, an agent.",
    read: (text) => parseServerFile(text, "server.yaml"),
    keys: {
      "version": { text: "The version of the file's form." },
      "cluster_name": {
        text: "The cluster's name. It is in every certificate and cannot be changed later.",
      },
      "data_dir": {
        text: "A folder for the store, the audit log and the admin socket; made with mode 0700.",
      },
      "store": {
        text:
          "Where the store is, if not in a file of `data_dir`: [PostgreSQL](operations.md#the-store-in-postgresql).",
        default: {},
      },
      "store.postgres": {
        text: "A database of its own; the server makes the tables. Either `url`, or its parts.",
      },
      "store.postgres.url": { text: "Host, port, database and user in one. It has no password." },
      "store.postgres.host": {
        text:
          "Beyond the loopback by TLS only, and the certificate must be good for this name or address.",
      },
      "store.postgres.port": { text: "5432 if not given; of a Unix socket the end of its name." },
      "store.postgres.database": { text: "The database." },
      "store.postgres.user": { text: "The role, which owns the database." },
      "store.postgres.password_file": {
        text: "Its first line is the password; read for every connection.",
      },
      "store.postgres.ca_file": {
        text:
          "Authorities to trust instead of the public ones, PEM. With it the loopback is spoken to by TLS as well.",
      },
      ...LOG,
      "auth_service": { text: "How people log in." },
      "auth_service.second_factor": {
        text:
          "Whether a login needs a TOTP code: of nobody, of users who have enrolled, of everybody.",
        default: "optional",
      },
      "proxy_service": { text: "The public port." },
      "proxy_service.public_addr": {
        text:
          "Where clients and agents reach it, port 443 unless said otherwise. Each host is a zone of the clients.",
      },
      "proxy_service.listen_addr": { text: "Where it listens." },
      "proxy_service.https_keypairs": {
        text:
          "The certificate for the public names; one pair at most. Renewed files are [taken into use](operations.md#a-public-certificate) while the server runs. Without a pair the cluster's own CA issues one, trusted by its pin and renewed by itself.",
        default: [],
      },
      "proxy_service.trusted_proxies": {
        text:
          "Load balancers before it, by their addresses. Connections from there must begin with the PROXY protocol, version 2, and count as those of the source that it names; from everywhere else they must not. See [operations](operations.md#behind-a-load-balancer).",
      },
      "proxy_service.https_keypairs[].key_file": { text: "The private key, PEM." },
      "proxy_service.https_keypairs[].cert_file": { text: "The certificate with its chain, PEM." },
      "diag_addr": {
        text:
          "Where this machine can ask how it is doing, a loopback address: [health and metrics](operations.md#health-and-metrics). Nowhere without it.",
      },
      "audit": {
        text:
          "Where audit events go beside `audit.jsonl` and the store, see [cluster.md](cluster.md#events-elsewhere).",
        default: {},
      },
      "audit.syslog": {
        text: 'Syslog servers: RFC 5424, facility "log audit"; one or a list.',
      },
      "audit.webhooks": { text: "Who takes events over HTTPS; at most 16.", default: [] },
      "audit.webhooks[].url": {
        text: "Where they are posted, as lines of JSON; no two are the same before the `?`.",
      },
      "audit.webhooks[].secret_file": {
        text: "Its first line is sent as `authorization: Bearer`; read for every post.",
      },
      "audit.webhooks[].ca_file": { text: "Authorities to trust beside the public ones, PEM." },
      ...APPS,
      ...SSH,
    },
    example: `
version: v1
cluster_name: teleport.example.com
data_dir: /var/lib/vnet-server
log: { level: info, format: json }
auth_service: { second_factor: optional }
proxy_service:
  public_addr: teleport.example.com:443
  listen_addr: 0.0.0.0:443
  https_keypairs:
    - key_file: /etc/letsencrypt/live/teleport.example.com/privkey.pem
      cert_file: /etc/letsencrypt/live/teleport.example.com/fullchain.pem
app_service:
  apps:
    - name: builders
      uri: tcp://127.0.0.1
      tcp_ports: [{ port: 9000, end_port: 9010 }]
`,
  },
  {
    title: "The agent's file",
    text: "`/etc/vnet/agent.yaml`, or what `--config` names. Read by `vnet agent start`.",
    read: (text) => parseAgentFile(text, "agent.yaml"),
    keys: {
      "version": { text: "The version of the file's form." },
      "name": { text: "The agent's name, as `vnet ctl agents ls` shows it." },
      "data_dir": { text: "A folder for the agent's key and certificate; made with mode 0700." },
      ...LOG,
      "proxy_server": { text: "The cluster's proxy; port 443 unless said otherwise." },
      "ca_pin": {
        text:
          "The cluster's CA, as `vnet ctl status` prints it. Without one the proxy's certificate must be from a public authority, one that the machine trusts, or one in `ca_file`.",
      },
      "ca_file": {
        text:
          "Authorities to trust beside the public ones and the machine's, PEM: for the proxy's certificate, where there is no `ca_pin`, and for an `https://` HTTP proxy's. Read at the start.",
      },
      "diag_addr": {
        text:
          "Where this machine can ask how it is doing, a loopback address: [health and metrics](operations.md#health-and-metrics). Nowhere without it.",
      },
      "join": { text: "How the agent joins the cluster." },
      "join.token_file": {
        text:
          "A file with a token of `vnet ctl tokens add` on its first line. Read when the agent has no certificate that still holds.",
      },
      ...APPS,
      ...SSH,
    },
    example: `
version: v1
name: rack-7
data_dir: /var/lib/vnet-agent
proxy_server: teleport.example.com:443
ca_pin: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ca_file: /etc/vnet/corp-ca.pem
join: { token_file: /etc/vnet/token }
app_service:
  apps:
    - name: builders
      uri: tcp://10.0.0.6
      tcp_ports: [{ port: 5432 }, { port: 8000, end_port: 8010 }]
    - name: db
      uri: tcp://10.0.0.5:5432
      public_addr: [db.company.test, postgres.company.test]
      labels: { env: dev }
      description: The team's database
`,
  },
  {
    title: "The helper service's file",
    text: `
Read by the helpers that [the service](operations.md#the-service-of-a-client) starts, for each client
anew: \`/etc/vnet/helper.yaml\`. It must be root's, and nobody else may write it. A file that cannot
be used turns every client away.
`,
    read: (text) => parseHelperPolicy(text, "helper.yaml"),
    keys: {
      "version": { text: "The form of the file." },
      "dns": {
        text: "How resolvers are pointed at vnet; clients have no choice.",
        default: "auto",
      },
      "containers": {
        text:
          "Whether what comes out of a client's device may be forwarded, as containers need it.",
        default: "deny",
      },
      "ranges": {
        text:
          "Private space that clients' ranges may lie in beside 100.64.0.0/10, because no other network here uses it; at most 32. It holds for `sudo vnet up`, too.",
      },
      "zones": {
        text:
          "What clients' zones must be or lie in; at most 256. Without it: any zone that is not everybody's.",
      },
    },
    example: `
version: v1
dns: auto
containers: deny
zones: [teleport.example.com, company.test]
ranges: [10.213.0.0/16]
`,
  },
  {
    title: "The file of a machine's administrator",
    text: `
What counts for every user's vnet on a machine: \`/etc/vnet/client.yaml\`. It is read when vnet comes
up and at every login. The file and its folder must be root's, and nobody else may write them; of a
file that cannot be used nothing counts, and \`vnet status\` and \`vnet zones ls\` say so.
`,
    read: (text) => parseClientFile(text, "client.yaml"),
    keys: {
      "version": { text: "The form of the file." },
      "zones": {
        text:
          "Zones that a cluster has without a TXT record, see [dns.md](dns.md#whose-is-a-zone); at most 1000.",
      },
      "zones[].suffix": { text: "The zone: every name below it, not the name itself." },
      "zones[].proxy": {
        text:
          "The proxy of the cluster, as users log in to it; the port may be left out if it is 443.",
      },
    },
    example: `
version: v1
zones:
  - suffix: company.test
    proxy: teleport.example.com
`,
  },
  {
    title: "vnet_config",
    text:
      "One for the whole cluster, always there. Clients that are up take a change over at once.",
    read: (text) => parseResources(text, "vnet_config.yaml"),
    keys: {
      ...metadataOf("vnet_config"),
      "metadata.name": { text: "There is only one." },
      "spec.ipv4_cidr_range": {
        text:
          "Where clients take virtual addresses from. Outside 100.64.0.0/10 each user is asked, and root has to allow it.",
        default: "100.64.0.0/10",
      },
      "spec.custom_dns_zones": {
        text:
          "Zones beside the proxy's own names, for apps with a `public_addr` in them; at most 256.",
        default: [],
      },
      "spec.custom_dns_zones[].suffix": {
        text:
          "The zone: every name below it, at any depth, not the name itself. Not a public suffix such as `com` or `co.uk`.",
      },
      "spec.custom_dns_zones[].private": {
        text:
          "Nobody else answers for the zone: a name in it that is no app's does not exist, instead of being asked elsewhere.",
      },
    },
    example: `
kind: vnet_config
version: v1
metadata: { name: vnet-config }
spec:
  ipv4_cidr_range: 100.64.0.0/10
  custom_dns_zones: [{ suffix: company.test }]
`,
  },
  {
    title: "role",
    text:
      "What its users may do. Of several roles each adds what it allows; what one denies, none allows. Options are taken from the roles that allow the app, the strictest of each. `node_labels` and `logins` are refused: SSH servers are not served yet.",
    read: (text) => {
      const [role] = parseResources(text, "role.yaml");
      return role?.kind === "role" ? compileRole(role.metadata.name, role.spec) : role;
    },
    keys: {
      ...metadataOf("role"),
      "spec.allow": { text: "What is allowed. An empty one allows nothing.", default: {} },
      "spec.allow.app_labels": { text: `The apps, by their labels: ${SELECTOR}.` },
      "spec.deny": { text: "What is denied, whatever is allowed.", default: {} },
      "spec.deny.app_labels": { text: "The apps, in the same way." },
      "spec.options": { text: "What else holds.", default: {} },
      "spec.options.max_session_ttl": {
        text: "How long a login may last; never more than 12 h.",
      },
      "spec.options.require_session_mfa": {
        text:
          "Each session needs a fresh code: the first connection to each port of an app asks for one.",
        default: false,
      },
      "spec.options.client_idle_timeout": {
        text: "A connection without traffic for so long is cut (`client-idle`); `0s` is never.",
        default: "0s",
      },
      "spec.options.disconnect_expired_cert": {
        text: "Connections are cut when the login they were opened with ends.",
        default: true,
      },
    },
    example: `
kind: role
version: v1
metadata: { name: dev }
spec:
  allow: { app_labels: { env: [dev, staging] } }
  deny: { app_labels: { team: secret } }
  options: { max_session_ttl: 12h, client_idle_timeout: 1h }
`,
  },
  {
    title: "user",
    text:
      "A user and their roles. A user made from a file has no password yet: `vnet ctl users reset NAME` gives one.",
    read: (text) => parseResources(text, "user.yaml"),
    keys: {
      ...metadataOf("user"),
      "spec.roles": { text: "The roles; each must exist, or stand in the same file." },
      "spec.claims": {
        text:
          "What is said of the user, for `{{claims.NAME}}` in the labels of roles: each name has a text or a list of texts. It stands in the user's app certificates: 4096 characters at most.",
      },
    },
    example: `
kind: user
version: v1
metadata: { name: alice }
spec: { roles: [dev], claims: { team: [payments, search] } }
`,
  },
  {
    title: "lock",
    text:
      "Keeps somebody out, at once: logins, certificates and open connections. `vnet ctl lock` makes one.",
    read: (text) => parseResources(text, "lock.yaml"),
    keys: {
      ...metadataOf("lock"),
      "spec.target": {
        text: "Whom: `{ user: NAME }`, `{ role: NAME }`, `{ agent: ID }` or `{ session: ID }`.",
      },
      "spec.message": { text: "Why, for other administrators; at most 256 characters." },
      "spec.expires": { text: "Until when; without it until it is removed." },
    },
    example: `
kind: lock
version: v1
metadata: { name: lost-laptop }
spec:
  target: { user: alice }
  message: lost laptop
  expires: 2027-01-31T12:00:00Z
`,
  },
  {
    title: "public_addr",
    text:
      "Which app a public address is for; its name is the address. `vnet ctl create` gives an address to an app, `edit` gives it to another, `rm` releases it. The cluster writes one where an agent was the first to use an address that its token allows.",
    read: (text) => parseResources(text, "public_addr.yaml"),
    keys: {
      ...metadataOf("public_addr"),
      "metadata.name": { text: "The address. Not a name of the proxy itself." },
      "spec.app": { text: "The app, whoever serves it. It need not be served yet." },
      "spec.agent": {
        text:
          "The id of the agent that took it on first use. Absent where an administrator gave it.",
      },
    },
    example: `
kind: public_addr
version: v1
metadata: { name: db.company.test }
spec: { app: db }
`,
  },
  {
    title: "trusted_cluster",
    text:
      "On a leaf: the root whose users are let in. `vnet ctl create` meets the root at once; what fails is not written. `vnet ctl rm` ends it, with every connection. On the root its joining makes a `remote_cluster` of the leaf's name, which `vnet ctl rm` removes.",
    read: (text) => parseResources(text, "trusted_cluster.yaml"),
    keys: {
      ...metadataOf("trusted_cluster"),
      "metadata.name": { text: "The root's `cluster_name`." },
      "spec.enabled": { text: "With `false` nobody is let in, and connections end at once." },
      "spec.token": {
        text:
          "Of `vnet ctl tokens add --type trusted_cluster` on the root. Used at once, not kept, and needed once.",
      },
      "spec.web_proxy_addr": { text: "The root's proxy, port 443 unless said otherwise." },
      "spec.ca_pin": {
        text:
          "Of the root's host CA, as `vnet ctl status` there prints it. Without it a public authority vouches for the proxy.",
      },
      "spec.role_map": {
        text:
          "Which roles here stand for which of the root's. Who has none of these gets nothing; other roles of the root count for nothing.",
      },
      "spec.role_map[].remote": {
        text: "A role of the root; `*` stands for any characters.",
        expected: "text of 1 to 63 characters",
      },
      "spec.role_map[].local": { text: "Roles here." },
    },
    example: `
kind: trusted_cluster
version: v1
metadata: { name: root.example.com }
spec:
  token: 0123456789abcdef0123456789abcdef
  web_proxy_addr: teleport.root.example.com:443
  ca_pin: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
  role_map:
    - { remote: dev, local: [access] }
`,
  },
  {
    title: "oidc",
    text:
      "An identity provider whose users may log in: [sign-in.md](sign-in.md). Its name is what `vnet login --auth` takes, a DNS label and not `local`; the first by name is taken where none is said.",
    read: (text) => parseResources(text, "oidc.yaml"),
    keys: {
      ...metadataOf("oidc"),
      "spec.issuer_url": { text: "The provider, exactly as it calls itself." },
      "spec.client_id": { text: "What the cluster is called there." },
      "spec.client_secret_file": {
        text:
          "On the server: its first line is the secret. Without it the client has none, and PKCE alone protects.",
      },
      "spec.display": { text: "What people are told they log in with. Its name if not given." },
      "spec.scope": {
        text: "What the provider is asked for; `openid` always is.",
        default: ["openid", "profile", "email"],
      },
      "spec.username_claim": {
        text:
          "The claim that is the user name: `preferred_username` if not given, and `email` where there is none. `email` counts only with `email_verified: true`.",
      },
      "spec.claims_to_roles": {
        text: "Which roles somebody gets: those of every row that fits. Who gets none is refused.",
      },
      "spec.claims_to_roles[].claim": { text: "A claim at the top of what the provider says." },
      "spec.claims_to_roles[].value": {
        text:
          "What it must be, or one of its values: [as labels are matched](cluster.md#labels), without `{{…}}`.",
      },
      "spec.claims_to_roles[].roles": { text: "Roles that there are." },
      "spec.claims": {
        text:
          "Claims that roles may go by, as `{{claims.NAME}}`. A login whose values are too many or too long for a certificate is refused.",
        default: [],
      },
      "spec.ca_file": { text: "On the server: authorities to trust beside the public ones, PEM." },
      "spec.device_flow": {
        text:
          "Whether hosts without a browser may log in: [what that risks](sign-in.md#hosts-without-a-browser).",
        default: false,
      },
    },
    example: `
kind: oidc
version: v1
metadata: { name: corp }
spec:
  issuer_url: https://id.example.com/realms/corp
  client_id: vnet
  client_secret_file: /etc/vnet/oidc.secret
  claims_to_roles:
    - { claim: groups, value: developers, roles: [dev] }
`,
  },
];
