#!/bin/bash
# Installs the real servers and clients that the lab (tests/lab) and the bench (scripts/bench) let their hosts
# run. Debian and Ubuntu, as root; safe to run again, and needs no network when everything is there.
#   sudo bash scripts/lab_setup.sh
# No service is started: the lab starts its own servers in namespaces of its own.
set -euo pipefail

# Wires and firewalls, servers, clients, the bench's rival and its compiler, what holds hosts together, DNS clients
# and rivals (tests/dns, scripts/bench/dns.ts), an ACME server and its clients. The manual page's readers.
PACKAGES=(
  iproute2 nftables procps util-linux passwd
  postgresql nginx-light redis-server dnsmasq-base socat stunnel4 openssl
  postgresql-client curl redis-tools dnsutils libc-bin iperf3 faketime
  gcc libc6-dev strace
  groff-base man-db sudo sqlite3
  knot-dnsutils ldnsutils musl-tools dnsperf unbound chromium
  pebble certbot lego
)

complain() {
  echo "lab_setup: $*" >&2
  exit 1
}

command -v apt-get >/dev/null || complain "apt-get is missing: install ${PACKAGES[*]} by your own means"
[ "$(id -u)" -eq 0 ] || complain "not root: run \`sudo bash scripts/lab_setup.sh\`"

missing=()
for package in "${PACKAGES[@]}"; do
  state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$state" = "install ok installed" ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi
echo "lab_setup: installing ${missing[*]}"

# Maintainer scripts ask this program whether they may start a service; 101 is no. A policy that somebody else
# has put there stays and wins.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

# Debian's PostgreSQL would make and start a cluster of its own.
mkdir -p /etc/postgresql-common
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
  printf 'create_main_cluster = false\n' >/etc/postgresql-common/createcluster.conf
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# An existing configuration file, such as the one above, is kept without asking.
apt-get install -y -qq --no-install-recommends \
  -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
  "${missing[@]}" >/dev/null
