#!/usr/bin/env bash
# run: limit=120
# What exceeds the machine is said before a run starts, and what cannot work is stopped; half-written files of dead runs are removed by
# stages that were started by hand, those of running ones are not removed by micon clean.
. tests/tap.sh
. tests/driver.sh
cd "$SCREEN" || exit 1
printf 'Metadata_JCP2022,Metadata_SMILES\nJCP2022_033924,CS(C)=O\nJCP2022_000001,CCO\n' >compound.csv
screen <<'END'
  compound: compound.csv
END
table s1/b1/P1 s1/b1/P2 >load_data.csv
stages featurize tile train embed evaluate
run() { micon run screen.yaml "$@"; }

# ---- limits ----
few_files() { (ulimit -n 24 && exec timeout 20 "$MICON_BIN/micon" run screen.yaml -n 2 "$@"); }
exits "24 open files" 1 few_files
has "are too few, and how many are not" "$T/err" "2 ranks need 72 open files a process, and 24 are allowed: raise ulimit -n"
not_ok "nothing was started" test -e "$FAKE/calls"
soft() { (ulimit -Sn 24 && exec timeout 60 "$MICON_BIN/micon" run screen.yaml -n 2 --stage featurize); }
exits "a soft limit is raised" 0 soft
exits "more ranks than cores" 0 run -n 64 --stage tile
has "are said to be" "$T/err" "warning: 64 ranks share $(nproc) core"
exits "as many as cores" 0 run -n "$(nproc)" --stage tile --force
hasnt "are not" "$T/err" "ranks share"
has "the plan says so too" <(micon plan screen.yaml -n 64 --stage tile --force) "Note: 64 ranks share $(nproc) core"
big=(--set train.memory=100GB --set tile.size=64)
exits "far more memory than there is: no run" 1 run -n 64 --stage train "${big[@]}"
has "but a word on it" "$T/err" "train takes about 6.4 TB of memory, and this machine has "
has "and on what to do" "$T/err" "train.memory bounds it"
hasnt "nothing was started" "$FAKE/calls" "train"
has "the plan says it" <(micon plan screen.yaml -n 64 --stage train "${big[@]}") "Note: train takes about 6.4 TB of memory, and "

rm -rf work; mkdir work
small_disk() { unshare -m bash -c 'mount -t tmpfs -o size=16k none work && exec "$0" plan screen.yaml --stage tile' "$MICON_BIN/micon"; }
if [ "$(id -u)" = 0 ] && unshare -m mount -t tmpfs none work 2>/dev/null; then
    exits "a disk that is too small" 0 small_disk
    has "the plan says so" "$T/out" "Note: the outputs take about "
    has "and what is free" "$T/out" " are free in "
else
    skip "a disk that is too small" "mounting a tmpfs is not allowed here"
fi

# ---- half-written files ----
rm -rf work "$FAKE/calls"
dead=$(hostname)-4194305
mkdir -p work/models/micon/checkpoints
half=(work/compounds.h5.part."$dead" work/models/micon/model.safetensors.part."$dead" \
    work/models/micon/checkpoints/step-1.safetensors.part."$dead")
for f in "${half[@]}"; do echo half >"$f"; done
exits "featurize by hand" 0 "$BIN/micon-featurize" screen.yaml
not_ok "removes what a dead run of it left" test -e "${half[0]}"
exits "train by hand, without tiles" 1 "$BIN/micon-train" screen.yaml
not_ok "removes what a dead run left of its model" test -e "${half[1]}"
not_ok "and of its checkpoints" test -e "${half[2]}"
space=$(sed -n 's/.*"space": "\([0-9a-f]*\)".*/\1/p' work/status/featurize/compounds.json)
ok "a status file says which PID namespace its process number is of" [ ${#space} = 16 ]
sleep 60 &
live=$!
mkdir -p work/tiles
part=work/tiles/s1__b1__P1.h5.part.$(hostname)-$live-${space:0:8}-0123abcd
echo half >"$part"
exits "clean while a program writes" 1 micon clean screen.yaml --yes
has "says what" "$T/err" "still running here: a program that is writing work/tiles/s1__b1__P1.h5.part"
ok "and removes nothing" test -e "$part" -a -e work/compounds.h5
rm "$part"
echo "{\"stage\": \"tile\", \"state\": \"running\", \"host\": \"$(hostname)\", \"pid\": $live}" >work/status/featurize/x.json
exits "clean while a stage runs that was started by hand" 1 micon clean screen.yaml --yes
has "says which" "$T/err" "still running here: micon-tile (process $live on $(hostname)); nothing was removed. Stop it or wait"
kill $live; wait $live 2>/dev/null
exits "once it has ended" 0 micon clean screen.yaml --yes
not_ok "all is removed" test -e work/compounds.h5
tap_done
