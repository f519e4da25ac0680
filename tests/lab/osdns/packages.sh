#!/bin/bash
# Fetches Debian packages into a directory, with what they need and this machine lacks. Installs nothing:
# `apt install systemd-resolved` would replace this machine's own resolv.conf by a link to nowhere.
#
#   packages.sh DIRECTORY PACKAGE...
set -eu
directory=$1
shift
mkdir -p "$directory/partial"
[ -e "$directory/done" ] && exit 0
# Who comes second waits, and finds it done.
exec 9>"${directory%/*}/lock"
flock 9
[ -e "$directory/done" ] && exit 0
apt-get install --quiet --quiet --yes --download-only --no-install-recommends \
  -o Dir::Cache::archives="$directory" -o Debug::NoLocking=1 "$@" >/dev/null 2>&1 || {
  # The lists may be older than the archive.
  apt-get update --quiet --quiet >/dev/null 2>&1
  apt-get install --quiet --quiet --yes --download-only --no-install-recommends \
    -o Dir::Cache::archives="$directory" -o Debug::NoLocking=1 "$@" >/dev/null
}
touch "$directory/done"
