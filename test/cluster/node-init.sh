#!/bin/bash
# The first process of a node's PID namespace; when it ends, the kernel kills everything else there, and the mount and
# network namespaces go with the last process. Started by node.ts as: unshare … node-init.sh FOLDER
set -euo pipefail
folder=$1
# kubelet, containerd and the CNI plugins have fixed paths below /var and /run: they get their own.
mkdir -p "$folder/var/lib" "$folder/var/log" "$folder/run"
ln -sfn /run "$folder/var/run"
mount --make-rprivate /
mount --bind "$folder/var" /var
mount --bind "$folder/run" /run
# Mounts that kubelet makes for a pod must appear in its containers.
mount --make-rshared /
ip link set lo up
touch "$folder/initialized"
# Processes whose parents have ended become children of this one; `wait` collects them.
while true; do
  sleep infinity &
  wait $!
done
