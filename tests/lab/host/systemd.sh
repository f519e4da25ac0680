#!/bin/bash
# systemd as process 1, inside a host of the lab: namespaces of its own for processes, mounts and cgroups, the
# host's network and files. Of the machine's units it sees the targets, the journal and the bus, so that nothing
# of the machine is touched.
#
#   systemd.sh CGROUP [BUS]   CGROUP: where the unified hierarchy is mounted, with a name below it
#                             BUS=other: the host has a bus already
set -eu
cgroup=$1
mkdir -p "${cgroup%/*}"
mountpoint -q "${cgroup%/*}" || mount -t cgroup2 cgroup2 "${cgroup%/*}"
mkdir "$cgroup"
echo $$ >"$cgroup/cgroup.procs"
exec unshare --cgroup --mount --pid --fork --kill-child=SIGKILL --propagation private bash -euc '
mount -t proc proc /proc
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir /run/stage
mount -t tmpfs -o mode=755 stage /run/stage
mkdir /run/stage/units /run/stage/none /run/stage/dev
cd /usr/lib/systemd/system
cp -a ./*.target ./systemd-journald*.s* /run/stage/units/
[ "$1" = other ] || cp -a ./dbus.s* /run/stage/units/
[ ! -e polkit.service ] || cp -a polkit.service /run/stage/units/
for wanted in sockets.target.wants sysinit.target.wants; do
  mkdir "/run/stage/units/$wanted"
  cp -a "$wanted"/systemd-journald* "$wanted"/dbus* "/run/stage/units/$wanted/" 2>/dev/null || :
done
cd /
mount --bind /run/stage/units /usr/lib/systemd/system
mount --bind /run/stage/none /usr/lib/systemd/system-generators
for device in null zero full random urandom tty; do
  touch "/run/stage/dev/$device"
  mount --bind "/dev/$device" "/run/stage/dev/$device"
done
mkdir -p /run/stage/dev/net /run/stage/dev/shm /run/stage/dev/pts
touch /run/stage/dev/net/tun
mount --bind /dev/net/tun /run/stage/dev/net/tun
mount -t devpts -o newinstance,ptmxmode=0666 devpts /run/stage/dev/pts
ln -s pts/ptmx /run/stage/dev/ptmx
ln -s /proc/self/fd /run/stage/dev/fd
mount --rbind /run/stage/dev /dev
exec env -i container=vnet-lab PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --log-target=journal --show-status=no --unit=multi-user.target
' bash "${2:-own}"
