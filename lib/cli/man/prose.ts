/**
 * The parts of the manual page that are no command: what vnet is, and what holds for all of it.
 *
 * @module
 */

export const FOREWORD = `.SH NAME
vnet \\- reach TCP applications behind a cluster's proxy by their DNS names
.SH SYNOPSIS
.B vnet
.I COMMAND
.RI [ OPTION " ...] [" ARGUMENT " ...]"
.SH DESCRIPTION
.B vnet
lets any program on this machine reach TCP applications that sit behind a cluster's proxy by their DNS names, as if they
were on the local network.
No program needs to know about certificates, tunnels or proxies.
.PP
A local DNS server answers for the names of the cluster's apps with virtual addresses; these are routed into a network
device of vnet's own, and a connection to one of them goes through the cluster's proxy by mutual TLS to an agent beside
the app.
All other names and addresses go where they went before.
.PP
The same program is the cluster's server
.RB ( "vnet server" )
and its agent
.RB ( "vnet agent" ).
.B vnet demo
shows all of it at once in namespaces of its own and leaves nothing behind.
.PP
Results go to standard output, everything for people to standard error.`;

export const AFTERWORD = `.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
Failed; or
.B vnet doctor
found a failure.
.TP
.B 2
The command line cannot be understood.
.TP
.B 3
.B vnet doctor
found warnings, with
.BR \\-\\-strict .
.TP
.B 4
A login is needed.
.TP
.B 5
The daemon does not run, or this is not permitted.
.SH SIGNALS
.TP
.BR SIGINT ", " SIGTERM ", " SIGHUP
End in order:
.B vnet up
undoes what it changed on this machine.
A closed terminal sends SIGHUP to a
.B vnet up
in the foreground; under
.BR nohup (1)
it stays.
.TP
.B SIGKILL
To the daemon, the helper or both: what they changed is undone by what is left of them; what a lost machine leaves
behind, the next
.B vnet up
puts right.
To a
.B vnet up
in the foreground: helper and daemon go on in the background.
.TP
.B SIGHUP
To
.BR "vnet server start" :
read the proxy's certificate and the log's level again.
Nothing is cut.
.SH ENVIRONMENT
.TP
.B VNET_HOME
The client's folder, when
.B \\-\\-home
is not given.
.TP
.B VNET_CONFIG
The file of
.BR "vnet server" ", " "vnet agent" " and " "vnet ctl" ,
when
.B \\-\\-config
is not given.
Without either it is a file in
.IR /etc/vnet .
.TP
.BR VISUAL ", " EDITOR
What
.B vnet ctl edit
opens a resource in, the first that is set;
.BR vi (1)
if none is.
.TP
.BR XDG_CONFIG_HOME ", " XDG_STATE_HOME ", " XDG_RUNTIME_DIR
Where logins, state and sockets are kept when neither is given.
.TP
.BR HTTPS_PROXY ", " HTTP_PROXY ", " NO_PROXY
The HTTP proxy on the way to the cluster, for
.BR "vnet login" ,
which remembers it, and
.BR "vnet agent start" .
.TP
.BR SSL_CERT_FILE ", " SSL_CERT_DIR
Certificates of authorities to trust beside the public ones;
.B vnet login
remembers them.
.TP
.B NO_COLOR
No colour, whatever its value.
.SH FILES
.TP
.I ~/.config/vnet
Logins: certificates and keys, readable by their owner only; and what was decided about zones.
.TP
.I ~/.local/state/vnet
What the daemon remembers, such as addresses given to apps.
.TP
.I /run/user/UID/vnet
The daemon's socket.
.TP
.I /run/vnet
The helper service's socket, and daemons' sockets where there is no
.IR /run/user .
.TP
.I /etc/vnet/server.yaml
The cluster's server, for
.BR "vnet server start" " and " "vnet ctl" .
.TP
.I /etc/vnet/agent.yaml
An agent, for
.BR "vnet agent start" .
.TP
.I /etc/vnet/helper.yaml
What root lets the helper service's clients have; its
.I ranges
also hold for
.BR "sudo vnet up" .
.TP
.I /etc/vnet/client.yaml
Zones that the administrator of this machine gives to clusters, for all users.
.TP
.I /var/lib/vnet
The journal of what is to be undone.
.SH NOTES
.SS Host guard
A plain HTTP request whose Host is neither a name of the app nor its virtual address is answered by vnet with
"421 Misdirected Request" and does not reach the app: it may come from a web page that uses DNS rebinding.
A later one of the same connection ends it.
The label
.I vnet/host\\-guard
with the value
.I off
switches that off for an app, for example a forward proxy.
.B vnet help security guard
says more.
.SS Further reading
.B vnet help topics
lists the guides that are in the program: errors, checks of
.BR "vnet doctor" ,
DNS, configuration, operations and security.
.BI "vnet help " CODE
explains an error code.
.SH EXAMPLES
.EX
vnet demo
vnet login \\-\\-proxy proxy.example.com \\-\\-user alice
sudo vnet up \\-\\-detach
psql postgres://alice@db.example.com/postgres
vnet doctor \\-\\-name db.example.com:5432
vnet down
.EE
.SH SEE ALSO
.BR getent (1),
.BR resolvectl (1),
.BR systemd\\-resolved.service (8)`;
