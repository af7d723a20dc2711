#!/usr/bin/env bash
# A SLURM cluster of four virtual nodes on this machine, in a folder of its own, for as long as one command runs:
#     tests/slurm/cluster.sh [--accounting] [COMMAND ...]
# Without a command the smoke pipeline runs through profiles/slurm, from phantoms to the report. Nodes n1 to n3 are the
# partition "cpu" (the default, with a time limit of four hours), n4 with a GPU that is only counted is "gpu". The nodes
# share the cores of this machine but count as 16 cores and 64 GB each. --accounting adds slurmdbd on a private MariaDB.
# Debian: apt install slurm-wlm munge, with accounting also slurmdbd mariadb-server. Needs no privileges beyond root's,
# touches nothing outside its folder, and listens on loopback alone.
set -euo pipefail
cd "$(dirname "$0")/../.."

accounting=false
if [ "${1:-}" = --accounting ]; then
    accounting=true
    shift
fi
export PATH=$PATH:/usr/sbin
needed="munged slurmctld slurmd sbatch"
if $accounting; then needed="$needed slurmdbd mariadbd mariadb-install-db sacctmgr"; fi
for program in $needed; do
    command -v "$program" > /dev/null || { echo "skipped: $program is not installed (see tests/slurm/cluster.sh)" >&2; exit 77; }
done
if [ $# -eq 0 ] && ! python -c 'import snakemake_executor_plugin_slurm' 2> /dev/null; then
    echo 'skipped: no snakemake-executor-plugin-slurm: pip install -e ".[slurm]"' >&2
    exit 77
fi

home=$(mktemp -d "${TMPDIR:-/tmp}/slurm.XXXXXX")
mkdir "$home"/{bin,state,spool,log,munge}
chmod 755 "$home"
chmod 711 "$home/munge"
# Ports that nobody else uses just now: one for the controller, one for accounting, one a node.
read -r -a ports < <(python3 - << 'PYTHON'
import socket

sockets = [socket.socket() for _ in range(6)]
for each in sockets:
    each.bind(("127.0.0.1", 0))
print(*(each.getsockname()[1] for each in sockets))
PYTHON
)
me=$(id -un)
host=$(hostname -s)
started=false

stop() {
    status=$?
    trap - EXIT INT TERM HUP
    set +e
    if ! $started; then tail -n 20 "$home"/log/*.log >&2; fi
    scancel --full --user "$me" 2> /dev/null
    for service in slurmd.n1 slurmd.n2 slurmd.n3 slurmd.n4 slurmctld slurmdbd mariadbd munged; do
        process=$(cat "$home/$service.pid" 2> /dev/null) && kill "$process" 2> /dev/null
        # A service ends when it has written what it knows; what does not end is killed.
        for _ in $(seq 50); do kill -0 "$process" 2> /dev/null || break; sleep 0.1; done
        kill -9 "$process" 2> /dev/null
    done
    rm -rf "$home"
    exit $status
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The words after it until it answers, for half a minute.
wait_for() {
    for _ in $(seq 150); do "$@" &> /dev/null && return; sleep 0.2; done
    echo "error: no answer to: $*" >&2
    return 1
}

dd if=/dev/urandom of="$home/munge/munge.key" bs=128 count=1 status=none
chmod 400 "$home/munge/munge.key"
munged --key-file "$home/munge/munge.key" --socket "$home/munge/socket" --pid-file "$home/munged.pid" \
    --log-file "$home/log/munged.log" --seed-file "$home/munge/seed" --force

storage=accounting_storage/none
if $accounting; then
    storage=accounting_storage/slurmdbd
    mariadb-install-db --no-defaults --datadir="$home/database" --auth-root-authentication-method=socket \
        --user="$me" &> "$home/log/mariadb-install.log"
    mariadbd --no-defaults --datadir="$home/database" --socket="$home/mariadb.socket" --skip-networking \
        --pid-file="$home/mariadbd.pid" --user="$me" --skip-grant-tables &> "$home/log/mariadbd.log" &
    wait_for test -S "$home/mariadb.socket"
    cat > "$home/slurmdbd.conf" << CONF
AuthType=auth/munge
AuthInfo=socket=$home/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=${ports[1]}
SlurmUser=$me
LogFile=$home/log/slurmdbd.log
PidFile=$home/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=$me
StorageLoc=slurm
CONF
    chmod 600 "$home/slurmdbd.conf"
fi

cat > "$home/slurm.conf" << CONF
ClusterName=virtual
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=$me
SlurmdUser=$me
AuthType=auth/munge
AuthInfo=socket=$home/munge/socket
CryptoType=crypto/munge
StateSaveLocation=$home/state
SlurmdSpoolDir=$home/spool/%n
SlurmctldPidFile=$home/slurmctld.pid
SlurmdPidFile=$home/slurmd.%n.pid
SlurmctldLogFile=$home/log/slurmctld.log
SlurmdLogFile=$home/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,bf_interval=1
ReturnToService=2
InactiveLimit=0
KillWait=5
MinJobAge=300
GresTypes=gpu
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=5
AccountingStorageType=$storage
AccountingStorageHost=127.0.0.1
AccountingStoragePass=$home/munge/socket
AccountingStoragePort=${ports[1]}
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=${ports[2]} CPUs=16 RealMemory=64000
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=${ports[3]} CPUs=16 RealMemory=64000
NodeName=n3 NodeHostname=$host NodeAddr=127.0.0.1 Port=${ports[4]} CPUs=16 RealMemory=64000
NodeName=n4 NodeHostname=$host NodeAddr=127.0.0.1 Port=${ports[5]} CPUs=16 RealMemory=64000 Gres=gpu:1
PartitionName=cpu Nodes=n1,n2,n3 Default=YES MaxTime=04:00:00 DefaultTime=00:30:00
PartitionName=gpu Nodes=n4 MaxTime=3-00:00:00 DefaultTime=00:30:00
CONF
printf 'NodeName=n4 Name=gpu File=/dev/null\n' > "$home/gres.conf"
export SLURM_CONF=$home/slurm.conf
# The executor clears SLURM_* before a job calls srun, which on a real cluster finds its configuration by itself.
printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$SLURM_CONF" "$(command -v srun)" > "$home/bin/srun"
chmod +x "$home/bin/srun"
export PATH=$home/bin:$PATH

if $accounting; then
    MYSQL_UNIX_PORT=$home/mariadb.socket slurmdbd
    wait_for sacctmgr --noheader list cluster
    sacctmgr --immediate add cluster virtual > /dev/null 2>&1 || true
    sacctmgr --immediate add account lab > /dev/null
    sacctmgr --immediate add user "$me" account=lab > /dev/null
fi
slurmctld
for node in n1 n2 n3 n4; do slurmd -N "$node"; done
wait_for sh -c '[ "$(sinfo --noheader --Node --states=idle | wc -l)" -eq 4 ]'

started=true

if [ $# -gt 0 ]; then
    "$@"
else
    snakemake --workflow-profile profiles/slurm --set-resources train:slurm_partition=gpu reconstruct:slurm_partition=gpu \
        --slurm-init-seconds-before-status-checks 5 --directory "$home/smoke" --configfile workflow/config/smoke.yaml
    test -s "$home/smoke/results/report.html"
fi
