#!/usr/bin/env bash
# Runs a command on two hosts of one machine: two network namespaces, each with a name and an address of its own, that
# nothing connects but a cable, so that mpirun and its processes have to find each other over TCP.
#   tests/apps/two_hosts.sh COMMAND...    a process on each, of one mpirun; then the bytes that went over the cable
# Needs root and iproute2. Exit code: the command's; 77 where no namespaces can be made.
set -euo pipefail

one=forger-one-$$ other=forger-other-$$
scratch=$(mktemp -d)
finish() {
  ip netns delete "$one" 2>/dev/null || true
  ip netns delete "$other" 2>/dev/null || true
  rm -rf "$scratch"
}
trap finish EXIT

{ ip netns add "$one" && ip netns add "$other" &&
  ip -n "$one" link add eth0 type veth peer name eth0 netns "$other"; } 2>/dev/null || exit 77
ip -n "$one" address add 10.99.0.1/24 dev eth0
ip -n "$other" address add 10.99.0.2/24 dev eth0
for host in "$one" "$other"; do
  ip -n "$host" link set lo up
  ip -n "$host" link set eth0 up
done

# on HOST COMMAND...: a shell there, under the host's own name.
cat >"$scratch/on" <<'SCRIPT'
#!/bin/sh
host=$1
shift
exec ip netns exec "$host" unshare --uts sh -c 'hostname "$0"; exec "$@"' "$host" "$@"
SCRIPT
# What mpirun calls for the other host, in place of ssh: its words are a host, of which there is one other, and a line for its shell.
cat >"$scratch/agent" <<SCRIPT
#!/bin/sh
shift
exec '$scratch/on' $other sh -c "\$*"
SCRIPT
chmod +x "$scratch/on" "$scratch/agent"

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
"$scratch/on" "$one" timeout 120 mpirun --mca plm_rsh_agent "$scratch/agent" --mca btl self,tcp --bind-to none \
  --host 10.99.0.1:1,10.99.0.2:1 -n 2 "$@"
echo "sent: $(ip netns exec "$one" cat /sys/class/net/eth0/statistics/tx_bytes)"
