#!/bin/bash
# Process 1 of a machine with nothing but Node, in mount, pid, uts and ipc namespaces of its own; its network is this
# machine's. All its files are in memory. Says "ready", and ends when its stdin does.
#
#   root.sh NAME CACHE REPOSITORY NODE NPM      NODE: a file; NPM: its folder; REPOSITORY: what is cloned
set -eu
exec 2>&9 9>&-
name=$1 cache=$2 repository=$3 node=$4 npm=$5
root=/mnt
mount -t tmpfs -o mode=755 machine $root
tar -C $root -xf "$cache/base.tar"

# Node, as its users have it.
mkdir -p $root/usr/local/lib/node_modules
install -m 755 "$node" $root/usr/local/bin/node
cp -a "$npm" $root/usr/local/lib/node_modules/npm
ln -s ../lib/node_modules/npm/bin/npm-cli.js $root/usr/local/bin/npm
ln -s ../lib/node_modules/npm/bin/npx-cli.js $root/usr/local/bin/npx

# How this machine gets out, copied: no file of it can be written from inside.
for file in resolv.conf hosts; do cat /etc/$file >$root/etc/$file; done
# A network may have authorities of its own; they are public, and stand beside Debian's.
cp /etc/ssl/certs/ca-certificates.crt $root/etc/ssl/certs/ca-certificates.crt
echo "$name" >$root/etc/hostname

mount -t proc proc $root/proc
mount -t sysfs -o ro sys $root/sys
mount -t tmpfs -o mode=755 dev $root/dev
mkdir -p $root/dev/{net,pts,shm}
for device in null zero full random urandom tty net/tun; do
  touch $root/dev/$device
  mount --bind /dev/$device $root/dev/$device
done
mount -t devpts -o newinstance,ptmxmode=666 pts $root/dev/pts
ln -s pts/ptmx $root/dev/ptmx
ln -s /proc/self/fd $root/dev/fd
for n in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${n%:*}" "$root/dev/${n#*:}"; done
mount -t tmpfs -o mode=1777 shm $root/dev/shm
mount -t tmpfs -o mode=755 run $root/run
mount -t tmpfs -o mode=1777 tmp $root/tmp
mkdir -p $root/run/lock

# Packages that were fetched once, and the repository to clone.
mkdir -p "$cache/archives/partial" $root/srv/vnet.git
mount --bind "$cache/archives" $root/var/cache/apt/archives
mount --bind "$repository" $root/srv/vnet.git
mount -o remount,bind,ro $root/srv/vnet.git
echo 'APT::Keep-Downloaded-Packages "true";' >$root/etc/apt/apt.conf.d/90walk

hostname "$name"
mkdir $root/outside
cd $root
pivot_root . outside
umount -l /outside
rmdir /outside
echo ready
exec 1>&- 3<&0 0</dev/null
(exec -a life-line cat <&3 >/dev/null) &
wait $!
