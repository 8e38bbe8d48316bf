#!/usr/bin/env bash
# A Slurm cluster of one node on this machine, for tests: munged, slurmctld and slurmd on loopback, all of it below FOLDER.
#
#   tests/cluster/slurm.sh start|slurmd|stop FOLDER
#
# `slurmd` starts that daemon again after it was killed. Needs root, and on Debian: apt-get install slurm-wlm munge.
# While the cluster is up, /etc/slurm/slurm.conf is a link to its configuration: Snakemake takes SLURM_CONF and all
# other variables of Slurm out of its jobs' environment. A machine that has a configuration of its own is refused.
set -euo pipefail

command=$1
folder=$(realpath -m "$2")
configuration=$folder/slurm.conf
link=/etc/slurm/slurm.conf
node=$(hostname -s)

stop() {
    for daemon in slurmd slurmctld munged; do
        if [ -f "$folder/$daemon.pid" ]; then
            local pid
            pid=$(cat "$folder/$daemon.pid")
            kill "$pid" 2>/dev/null || true
            # It writes its state on ending, into a folder that may be removed next.
            for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null && sleep 0.1 || break; done
        fi
    done
    if [ "$(readlink "$link")" = "$configuration" ]; then rm "$link"; fi
}

configure() {
    if [ -e "$link" ] && [ "$(readlink "$link")" != "$configuration" ]; then
        echo "$link is there already: this machine has a Slurm of its own. Test on one that has none." >&2
        exit 1
    fi
    mkdir -p "$folder"/{state,spool}
    chmod 755 "$folder"
    dd if=/dev/urandom of="$folder/munge.key" bs=1024 count=1 2>/dev/null
    chmod 400 "$folder/munge.key"
    cat >"$configuration" <<END
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmctldPort=${SLURM_TEST_PORT:-16817}
SlurmdPort=$((${SLURM_TEST_PORT:-16817} + 1))
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
ReturnToService=2
MpiDefault=none
KillWait=5
MinJobAge=86400
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(($(grep MemTotal /proc/meminfo | tr -dc 0-9) / 1024)) State=UNKNOWN
PartitionName=test Nodes=$node Default=YES MaxTime=INFINITE State=UP
END
    ln -sfn "$configuration" "$link"
}

case $command in
start)
    configure
    munged --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
        --log-file="$folder/munged.log" --seed-file="$folder/munged.seed" --force
    slurmctld
    slurmd
    for _ in $(seq 60); do
        if sinfo --noheader --format=%t 2>/dev/null | grep -q idle; then exit 0; fi
        sleep 1
    done
    echo "The node did not become idle within a minute; see the logs in $folder." >&2
    stop
    exit 1
    ;;
slurmd) slurmd ;;
stop) stop ;;
*)
    echo "There is no command '$command'; expected start, slurmd or stop." >&2
    exit 2
    ;;
esac
