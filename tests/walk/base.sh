#!/bin/bash
# Makes the files of a machine with nothing but what Debian calls minimal, and git and sudo, once: base.tar in a cache
# folder. Nothing is installed here: debootstrap and its keys are fetched as packages and unpacked.
#
#   base.sh CACHE
set -euo pipefail
cache=$1
[ -e "$cache/base.tar" ] && exit 0
mkdir -p "$cache/tools" "$cache/debs"
cd "$cache/debs"
[ -e "$cache/tools/usr/sbin/debootstrap" ] || {
  apt-get download -qq -o APT::Sandbox::User=root debootstrap debian-archive-keyring
  for package in debootstrap_*.deb debian-archive-keyring_*.deb; do dpkg -x "$package" "$cache/tools"; done
}
# The files live in memory until they are packed.
exec unshare --mount --propagation private bash -euc '
  mount -t tmpfs -o mode=755 base /mnt
  DEBOOTSTRAP_DIR=$1/tools/usr/share/debootstrap sh "$1/tools/usr/sbin/debootstrap" \
    --variant=minbase --include=ca-certificates,git,sudo --cache-dir="$1/debs" \
    --keyring="$1/tools/usr/share/keyrings/debian-archive-keyring.gpg" \
    bookworm /mnt http://deb.debian.org/debian >"$1/debootstrap.log" 2>&1 || { tail -n 20 "$1/debootstrap.log" >&2; exit 1; }
  tar -C /mnt --one-file-system --exclude="./var/cache/apt/archives/*.deb" -cf "$1/base.tar.new" .
  mv "$1/base.tar.new" "$1/base.tar"
' sh "$cache"
