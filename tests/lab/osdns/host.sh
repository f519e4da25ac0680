#!/bin/bash
# A host of its own around one command: this machine's files with some packages unpacked over them, everything
# written going to memory, in namespaces of their own that end with the command. Nothing of this machine changes.
#
#   unshare --net --mount --pid --uts --ipc --fork --kill-child --propagation private \
#     bash host.sh PACKAGES REPOSITORY COMMAND...
#
#        wan0 10.99.0.2/24                       the host's uplink
#          |  veth
#        wan1 10.99.0.1/24, .53 and .54          the provider: the namespace of process $PROVIDER
set -eu
packages=$1
repository=$2
shift 2

mount -t proc proc /proc
mount -t tmpfs -o mode=755 stage /mnt
mkdir /mnt/{lower,upper,work,root}
for package in "$packages"/*.deb; do dpkg -x "$package" /mnt/lower; done
# Unpacked, /lib is a directory; here it is a link to usr/lib, and would be hidden.
for directory in lib lib64 sbin bin; do
  if [ -d "/mnt/lower/$directory" ]; then
    mkdir -p "/mnt/lower/usr/$directory"
    cp -a "/mnt/lower/$directory/." "/mnt/lower/usr/$directory/"
    rm -rf "/mnt/lower/$directory"
  fi
done

root=/mnt/root
mount -t overlay overlay -o lowerdir=/mnt/lower:/,upperdir=/mnt/upper,workdir=/mnt/work $root
mount -t proc proc $root/proc
# NetworkManager takes a device for its own without udev only where /sys is read-only.
mount -t sysfs -o ro sys $root/sys
mount --rbind /dev $root/dev
mount -t tmpfs -o mode=755 run $root/run
mount -t tmpfs -o mode=1777 tmp $root/tmp
if ! [ "$repository/deno.json" -ef "$root$repository/deno.json" ]; then
  mkdir -p "$root$repository"
  mount --bind "$repository" "$root$repository"
fi
mkdir -p $root/run/dbus $root/run/systemd $root/run/lock

for user in systemd-resolve:991 systemd-network:992 messagebus:993; do
  name=${user%:*} id=${user#*:}
  grep -q "^$name:" $root/etc/passwd || echo "$name:x:$id:$id::/:/usr/sbin/nologin" >>$root/etc/passwd
  grep -q "^$name:" $root/etc/group || echo "$name:x:$id:" >>$root/etc/group
done

hostname client
ip link set lo up
unshare --net sleep infinity &
export PROVIDER=$!
until ! [ /proc/self/ns/net -ef /proc/$PROVIDER/ns/net ]; do :; done
ip link add wan0 type veth peer name wan1 netns $PROVIDER
for address in 10.99.0.1 10.99.0.53 10.99.0.54; do
  nsenter --net=/proc/$PROVIDER/ns/net ip address add $address/24 dev wan1
done
nsenter --net=/proc/$PROVIDER/ns/net ip link set wan1 up
ip address add 10.99.0.2/24 dev wan0
ip link set wan0 up
# The kernel says "no carrier" for up to a second after both ends are up, and resolved believes it.
until ip link show wan0 | grep -q 'state UP'; do sleep 0.02; done

cd /
exec chroot $root "$@"
