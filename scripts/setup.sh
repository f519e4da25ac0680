#!/bin/sh
# Installs what building and testing vnet needs beside Node: a C compiler for the shim, and what the lab
# (tests/lab) lets its hosts run. Debian and Ubuntu, as root; safe to run again.
#   sudo sh scripts/setup.sh
set -eu
cd "$(dirname "$0")"

if ! command -v apt-get >/dev/null; then
  echo "setup: apt-get is missing: install gcc, the C library's headers and make by your own means" >&2
  exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "setup: not root: run \`sudo sh scripts/setup.sh\`" >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive

# Package lists are fetched only if something is missing: a second run needs no network.
missing=
for package in ca-certificates gcc libc6-dev make; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  apt-get update -qq
  # The list is split into words on purpose.
  apt-get install -y -qq --no-install-recommends $missing
fi

if [ -f lab_setup.sh ]; then
  bash lab_setup.sh
fi
