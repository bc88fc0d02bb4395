# shellcheck shell=bash
# cluster.sh -- a SLURM of our own for a test: munge, one controller, NODES virtual nodes on the loopback, all inside namespaces that end
# with the test, so that nothing outlives it and no port is anybody else's. Wants root (or user namespaces are not enough: munge and slurmd
# check owners) and the packages slurmctld slurmd slurm-client munge.
#
# First lines of a test:   . tests/tap.sh; . tests/slurm/cluster.sh; slurm_or_skip "$0"; slurm_up NODES CPUS
# $SLURM_MORE: further lines of slurm.conf.
# Afterwards SLURM_CONF is set, and sbatch, squeue, scontrol are the real ones. The nodes are n1, n2 ...; they share the host's name, so
# that Open MPI has to talk by TCP between them.

# Run the test again inside the namespaces, or count it as skipped and end.
slurm_or_skip() {
    local why='' p
    for p in munged slurmctld slurmd sbatch ip unshare; do command -v $p >/dev/null || why="$p is not installed"; done
    [ "$(id -u)" = 0 ] || why="a SLURM of one's own wants root"
    if [ -z "$why" ] && [ -z "${MICON_IN_SLURM-}" ]; then
        unshare --net --mount --uts --ipc --pid --fork --mount-proc true 2>/dev/null || why="namespaces are not allowed here"
    fi
    if [ -n "$why" ]; then skip "SLURM" "$why"; tap_done; fi
    [ -n "${MICON_IN_SLURM-}" ] || MICON_IN_SLURM=yes exec unshare --net --mount --uts --ipc --pid --fork --mount-proc bash "$1"
    ip link set lo up
    ip addr add 10.255.0.1/32 dev lo   # with 127.0.0.1 alone the controller does not find its own host
    mount -t tmpfs -o mode=1777 shm /dev/shm
}

slurm_conf() { # NODES CPUS
    local d=$SLURM_DIR host i
    host=$(hostname -s)
    cat <<C
ClusterName=micon
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=17000
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$d/munge/socket,cred_expire=5
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$d/state
SlurmdSpoolDir=$d/spool.%n
SlurmctldPidFile=$d/run/slurmctld.pid
SlurmdPidFile=$d/run/slurmd.%n.pid
SlurmctldLogFile=$d/log/slurmctld
SlurmdLogFile=$d/log/slurmd.%n
TmpFS=$d/tmp.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,bf_continue
MpiDefault=pmix
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MailProg=/bin/true
ReturnToService=2
SlurmdTimeout=5
KillOnBadExit=1
KillWait=5
OverTimeLimit=0
SlurmdParameters=config_overrides
${SLURM_MORE-}
C
    for i in $(seq "$1"); do
        mkdir -p "$d/tmp.n$i" "$d/spool.n$i"
        chmod 1777 "$d/tmp.n$i"
        echo "NodeName=n$i NodeHostname=$host NodeAddr=127.0.0.1 Port=$((17010 + i)) CPUs=$2 RealMemory=64000 State=UNKNOWN"
    done
    echo "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP"
}

slurm_up() { # NODES CPUS
    SLURM_DIR=$T/slurm
    export SLURM_CONF=$SLURM_DIR/slurm.conf
    mkdir -p "$SLURM_DIR"/{munge,state,log,run}
    chmod 755 "$T" "$SLURM_DIR" "$SLURM_DIR/munge"
    (umask 077; head -c 64 /dev/urandom >"$SLURM_DIR/munge/key")
    slurm_conf "$1" "$2" >"$SLURM_CONF"
    munged --key-file="$SLURM_DIR/munge/key" --socket="$SLURM_DIR/munge/socket" --pid-file="$SLURM_DIR/munge/pid" \
        --log-file="$SLURM_DIR/munge/log" --seed-file="$SLURM_DIR/munge/seed" --force 2>/dev/null
    slurmctld -i -f "$SLURM_CONF"
    local i
    for i in $(seq "$1"); do slurm_node_up "$i"; done
    slurm_wait 20 'test "$(sinfo -h -N -t idle -o %N | sort -u | wc -l)" = '"$1" || { cat "$SLURM_DIR"/log/* >&2; return 1; }
    # Virtual nodes are one host: Open MPI must not take them for sharing memory, nor spin.
    export OMPI_MCA_btl=self,tcp OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_oob_tcp_if_include=lo OMPI_MCA_mpi_yield_when_idle=1
}

slurm_node_up() { slurmd -N "n$1" -f "$SLURM_CONF"; }
slurm_node_kill() { kill -KILL "$(cat "$SLURM_DIR/run/slurmd.n$1.pid")"; }
slurm_controller_restart() {
    kill -TERM "$(cat "$SLURM_DIR/run/slurmctld.pid")"
    slurm_wait 20 '! scontrol ping 2>/dev/null | grep -q " UP"'
    slurmctld -f "$SLURM_CONF"
    slurm_wait 20 'scontrol ping 2>/dev/null | grep -q " UP"'
}

# slurm_wait SECONDS 'condition'
slurm_wait() {
    local end=$((SECONDS + $1))
    until eval "$2" 2>/dev/null; do
        [ $SECONDS -ge $end ] && return 1
        sleep 0.1
    done
}
slurm_idle() { slurm_wait "${1:-60}" '[ -z "$(squeue -h)" ]'; }
