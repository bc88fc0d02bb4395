#!/usr/bin/env bash
# run: limit=60
# micon submit and rerun: what each stage asks SLURM for, the controller's limits, and what is refused before anything is queued. Against
# stand-ins for SLURM.
. tests/tap.sh
. tests/driver.sh
cd "$SCREEN" || exit 1
plates=(s1/b1/P1 s1/b1/P2 s2/b1/P1 s2/b1/P2 s2/b1/P3)
table "${plates[@]}" >load_data.csv
stages featurize tile train embed evaluate
submit() { micon submit screen.yaml "$@"; }
line_of() { grep -- "--job-name=micon-$1 " "$T/out"; }
asks() { # WHAT STAGE WORDS... : the stage's sbatch line has the words; those with a leading ! it has not
    local what=$1 line w missing=''
    line=$(line_of "$2")
    shift 2
    for w; do case $w in
        !*) case " $line " in *" ${w#!}"*) missing="$missing $w" ;; esac ;;
        *) case " $line " in *" $w "*) ;; *) missing="$missing $w" ;; esac ;;
    esac; done
    same "$what" "$missing" ""
}

# ---- a section for each stage, the general one as default ----
screen <<'Y'
slurm:
  partition: cpu
  account: lab
  qos: night
  mem: 3GiB
  time: 90
  tile: {partition: io, ntasks_per_node: 8, extra: --exclusive, mem: auto, qos: short}
  train: {partition: big, account: model, nodes: 2, ntasks_per_node: 4, cpus_per_task: 6, constraint: avx512, time: 600, mem: 20GiB}
Y
exits "dry run" 0 submit --dry-run
asks "tile has its own" tile --partition=io --account=lab --qos=short --time=90 --nodes=1 --ntasks-per-node=8 --exclusive \
    '!--mem=3072M' '!--cpus'
asks "training has its own" train --partition=big --account=model --qos=night --constraint=avx512 --time=600 --mem=20480M --nodes=2 \
    --ntasks-per-node=4 --cpus-per-task=6
asks "the others as the general section says" embed --partition=cpu --account=lab --time=90 --mem=3072M --ntasks-per-node=4 '!--constraint'
asks "and the gate" gate-tile --partition=cpu --account=lab --qos=night --time=15 --mem=1024M --ntasks-per-node=1
exits "-n and --nodes" 0 submit --dry-run -n 16 --nodes 3 --set slurm.train.nodes=same --set slurm.train.ntasks_per_node=same
asks "reach training" train --nodes=3 --ntasks-per-node=16
asks "-n the others too" embed --nodes=1 --ntasks-per-node=16
asks "but a stage's own section" tile --ntasks-per-node=8
exits "-n where the section says" 0 submit --dry-run -n 16 --nodes 3
asks "is the section's" train --nodes=2 --ntasks-per-node=4
exits "auto where the general section says" 0 submit --dry-run --set slurm.ntasks_per_node=9 --set slurm.embed.ntasks_per_node=auto
asks "auto" embed --ntasks-per-node=4
exits "a key that is not there" 2 submit --set slurm.train.node=2
has "the nearest is named" "$T/err" "unknown key 'node' in section 'slurm.train'; did you mean 'nodes'?"
micon submit --help >"$T/help"
for key in partition account qos constraint extra time mem nodes ntasks_per_node cpus_per_task; do
    same "help names $key for all and for a stage" "$(grep -c "^  $key: " "$T/help")" 2
done

# ---- the controller's limits ----
screen <<<'slurm: {plates_per_task: 1, throttle: 4}'
printf 'MaxArraySize            = 2\nMaxJobCount             = 10000\n' >"$FAKE/config"
exits "MaxArraySize = 2" 0 submit --stage tile,featurize,train
same "five tasks in arrays of two" "$(for n in 102 103 104; do tr '\0' '\n' <"$FAKE/sbatch.$n" | grep -- --array; done | xargs)" \
    "--array=0-1%1 --array=0-1%1 --array=0-0%1"
has "a gate waits for all" <(tr '\0' '\n' <"$FAKE/sbatch.105") "--dependency=afterany:102:103:104"
mapfile -d '' -t args <work/status/slurm/tile-2/1.0
same "the fourth plate is the second task of the second" "${args[*]}" "$SCREEN/screen.yaml --plate s2/b1/P2"
exits "again" 0 submit --stage tile,featurize,train
has "nothing is doubled" "$T/err" "nothing to submit"
rm -rf work "$FAKE"/queue
printf 'lab|\nother|4\n' >"$FAKE/associations"
exits "MaxSubmitJobs = 4 of an account" 0 submit --stage tile,train --set slurm.account=other
same "plates share tasks" "$(tr '\0' '\n' <"$FAKE/sbatch.$(($(cat "$FAKE/job") - 2))" | grep -- --array)" "--array=0-1%4"
rm -rf work "$FAKE"/queue "$FAKE"/sbatch.[0-9]*; rm "$FAKE/config"
exits "MaxSubmitJobs = 2" 1 submit --set slurm.account=other --set slurm.qos=small
printf 'normal|\nsmall|2\n' >"$FAKE/qos"
exits "and of a qos" 1 submit --stage tile,train --set slurm.account=lab --set slurm.qos=small
has "says so" "$T/err" "SLURM takes 2 jobs at a time (MaxSubmitJobs), 0 are in the queue, and this needs at least 3"
not_ok "nothing was queued" compgen -G "$FAKE/sbatch.[0-9]*"
rm "$FAKE/qos" "$FAKE/associations"

# ---- what SLURM would refuse, or never start ----
cat >"$FAKE/nodes" <<'N'
cpu*|3000|8|1:00:00|up|4|idle|sse
big|64000|32|infinite|up|1|mixed|avx512,hdr
big|64000|32|infinite|up|1|drained|avx512
off|64000|32|1-00:00:00|down|2|idle|
N
refused() { # WHAT TEXT OPTIONS... : exit 1 with the text, nothing queued
    local what=$1 text=$2
    shift 2
    exits "$what" 1 submit "$@"
    has "says so" "$T/err" "$text"
    not_ok "nothing was queued" compgen -G "$FAKE/sbatch.[0-9]*"
}
refused "a partition that is not there" \
    "tile: this cluster has no partition 'gpu'; it has: cpu, big, off (slurm.partition, slurm.tile.partition)" \
    --set slurm.tile.partition=gpu --stage tile
refused "time over the limit" "train: slurm.time is 90 minutes, and the partition allows 60" --set slurm.train.time=90
exits "a qos may allow more" 0 submit --dry-run --set slurm.train.time=90 --set slurm.train.qos=long
refused "memory over every node" "featurize: slurm.mem is 9.7 GB, and the largest node of the partition has 3.1 GB" --set slurm.mem=9GiB
refused "more CPUs than a node" "embed: 4 ranks of 4 CPUs on a node, and the largest node of the partition has 8 CPUs" \
    --set slurm.embed.cpus_per_task=4
refused "more nodes than there are" "train: 3 nodes asked for, and the partition has 2" --nodes 3 --set slurm.train.partition=big
refused "a feature of no node" "train: no node of the partition has the feature 'amx' (slurm.constraint)" --set slurm.train.constraint=amx
exits "a feature of some" 0 submit --dry-run --set slurm.train.constraint=avx512 --set slurm.train.partition=big
printf 'amd|64000|32|infinite|up|3|idle|zen4\namd|64000|32|infinite|up|1|idle|spr,amx\n' >>"$FAKE/nodes"
exits "nodes of two kinds" 0 submit --dry-run --set slurm.train.partition=amd
has "which are faster is said" "$T/err" "train: 1 of the partition's 4 nodes have the feature 'amx', on which networks are faster:"
hasnt "of training only" "$T/err" "embed: 1 of"
exits "a feature is asked for" 0 submit --dry-run --set slurm.train.partition=amd --set slurm.train.constraint=amx
hasnt "nothing to say" "$T/err" "networks are faster"
exits "an expression is SLURM's to judge" 0 submit --dry-run --set "slurm.train.constraint=amx|avx512"
exits "a drained node" 0 submit --dry-run --nodes 2 --set slurm.train.partition=big
has "lets jobs wait" "$T/err" \
    "train: 1 of the partition's nodes take jobs now (the others are down or drained), and a job needs 2: it waits"
exits "a partition that is down" 0 submit --dry-run --stage tile --set slurm.partition=off
has "too" "$T/err" "tile: the partition is down: jobs wait until it is up"
exits "automatic time and memory" 0 submit --dry-run
asks "stay within the partition" train --time=60 --mem=3000M
touch "$FAKE/squeue.down"; rm "$FAKE/nodes"
mkdir -p work/status; : >work/status/x
refused "a dead controller" "Unable to contact slurm controller"
rm "$FAKE/squeue.down"
printf '#!/bin/sh\necho "micon-train: error while loading shared libraries: libdnnl.so.2: cannot open shared object file" >&2\nexit 127\n' \
    >"$MICON_BIN/micon-train"
refused "a missing library" "micon-train does not start (exit 127): micon-train: error while loading shared libraries: libdnnl.so.2"
home="$T/home"; mkdir "$home"; cp -r "$ROOT/jobs" "$home/jobs"; echo "MODULES='openmpi'" >"$home/site.env"
MICON_HOME=$home exits "where jobs load modules first" 0 submit --dry-run
has "it is a warning" "$T/err" "libdnnl.so.2: cannot open shared object file; jobs load: openmpi"
stages train
if [ -x "$BIN/micon-tile" ]; then
    cd "$T" || exit 1
    PMI_SIZE=2 exits "a program started by another MPI's launcher" 1 "$BIN/micon-tile" "$SCREEN/screen.yaml" --set screen.work="$T/w"
    has "knows that it is alone" "$T/err" \
        "2 programs were started, and this one is alone: they were started by another MPI than they run with (Open"
    not_ok "and writes nothing" test -e "$T/w"
    cd "$SCREEN" || exit 1
fi

# ---- rerun of what jobs made: by jobs ----
rm -rf work "$FAKE"/queue "$FAKE/calls"
exits "submit" 0 submit --stage tile
rm "$FAKE/queue"; for p in "${plates[@]}"; do "$MICON_BIN/micon-tile" screen.yaml --plate $p; done
n=$(cat "$FAKE/job"); rm -f "$FAKE/calls"
exits "rerun of a plate" 0 micon rerun screen.yaml --stage tile --plate P3
has "says how" "$T/err" "this work folder was made by SLURM jobs: submitting"
has "one task" "$T/err" "tile: job $((n + 1)), 1 task, 1 step"
mapfile -d '' -t args <work/status/slurm/tile-2/0.0
same "of that plate, again" "${args[*]}" "$SCREEN/screen.yaml --plate s2/b1/P3 --force"
not_ok "nothing was computed here" test -e "$FAKE/calls"
exits "while it is queued" 0 micon rerun screen.yaml --stage tile --plate P3
has "it is not doubled" "$T/err" "nothing to submit"
: >"$FAKE/queue"
SLURM_JOB_ID=5 exits "inside a job" 0 micon rerun screen.yaml --stage tile --plate P3
has "it is computed in that job" "$FAKE/calls" "tile s2/b1/P3"

# ---- sacct, where it is there ----
echo '{"state": "running", "host": "elsewhere", "pid": 1, "job": "900", "task": "1", "done": 0, "total": 4}' \
    >work/status/tile/s1__b1__P2.json
exits "a job is gone" 1 micon status screen.yaml
has "why is not known" "$T/out" "ended without reporting a status (killed?)"
echo OUT_OF_MEMORY >"$FAKE/sacct"
exits "with an accounting database" 1 micon status screen.yaml
has "it is" "$T/out" "ended without reporting a status (OUT_OF_MEMORY)"

# ---- what starts the ranks ----
for how in srun mpirun auto; do
    rm -rf work "$FAKE/queue"
    exits "slurm.launcher $how" 0 submit --stage featurize --set slurm.launcher=$how
    same "goes to the job" "$(cat work/status/slurm/featurize-1/launcher 2>/dev/null)" "${how#auto}"
done
mkdir "$T/srun"
cat >"$T/srun/srun" <<'S'
#!/bin/sh
[ "$1" = --mpi=list ] && { echo "MPI plugin types are... none pmix pmi2"; exit; }
echo "$*" >"$FAKE/srun"
S
chmod +x "$T/srun/srun"
job() { (cd "$ROOT" && PATH=$T/srun:$PATH "$@" bash jobs/stage.sh featurize --args "$SCREEN/work/status/slurm/featurize-1"); }
exits "a job by srun" 0 job env MICON_LAUNCHER=srun SLURM_CPUS_PER_TASK=3
same "with pmix, and the CPUs of a rank" "$(cat "$FAKE/srun")" \
    "--kill-on-bad-exit=1 --mpi=pmix --cpus-per-task=3 $MICON_BIN/micon-featurize $SCREEN/screen.yaml --set slurm.launcher=auto"
rm "$FAKE/srun"
exits "auto without mpirun" 0 job env MPIRUN=no-such-mpirun
ok "is srun" test -s "$FAKE/srun"
exits "neither" 1 job env MICON_LAUNCHER=mpirun MPIRUN=no-such-mpirun
has "says what to do" "$T/err" \
    "no-such-mpirun is not here: MODULES in site.local.mk has to load an MPI (make site.env), or set slurm.launcher"
tap_done
