#!/bin/bash
# Process 1 of a lab host, already in namespaces of its own (network, mount, pid, uts, ipc). Gives the host
# private copies of what programs write to, says "ready", and then reaps orphans until its stdin ends: the
# driver's end of that pipe is the host's life line.
#
#   host.sh NAME KEEP...      KEEP: directories that stay visible although a private one covers their parent
set -eu
exec 2>&9 9>&-
name=$1
shift
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 stage /mnt
count=0
for kept in "$@"; do
  mkdir "/mnt/$count"
  mount --bind "$kept" "/mnt/$count"
  count=$((count + 1))
done
cp -a /etc /mnt/etc
mount --bind /mnt/etc /etc
mount -t tmpfs -o mode=755 run /run
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs -o mode=755 home /home
for covered in /var/backups /var/lib /var/log; do
  mkdir -p "$covered"
  mount -t tmpfs -o mode=755 private "$covered"; done
for shared in /var/tmp /dev/shm; do mount -t tmpfs -o mode=1777 private "$shared"; done
mkdir -p /run/lock /run/user /home/root
count=0
for kept in "$@"; do
  # What no private directory covers is still there: the same directory in both places.
  if ! [ "$kept" -ef "/mnt/$count" ]; then
    mkdir -p "$kept"
    mount --bind "/mnt/$count" "$kept"
  fi
  count=$((count + 1))
done
umount -l /mnt
rm -f /etc/resolv.conf
printf '# resolv.conf of %s\nnameserver 203.0.113.53\n' "$name" >/etc/resolv.conf
printf '127.0.0.1 localhost %s\n::1 localhost\n' "$name" >/etc/hosts
printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n' >/etc/nsswitch.conf
# Programs that ask /etc/passwd for root's home must not find the machine's.
sed -i 's#^\(root:[^:]*:[^:]*:[^:]*:[^:]*\):[^:]*:#\1:/home/root:#' /etc/passwd
hostname "$name"
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad
ip link set lo up
echo ready
exec 1>&- 3<&0 0</dev/null
(exec -a life-line cat <&3 >/dev/null) &
wait $!
