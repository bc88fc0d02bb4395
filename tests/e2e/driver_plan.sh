#!/usr/bin/env bash
# run: limit=60
# The driver's command line and plan: help, errors, what is up to date and why.
. tests/tap.sh
. tests/driver.sh

# ---- command line ----
micon --help >"$T/help"; same "--help ends with 0" $? 0
golden "micon --help" "$T/help" help.txt
for c in index check plan run submit status rerun compare export predict store clean gate verify; do
    micon $c --help >"$T/help"
    golden "micon $c --help" "$T/help" help-$c.txt
done
exits "no command" 2 micon
exits "an unknown command" 2 micon paln x.yaml
has "names the nearest" "$T/err" "unknown command 'paln'; did you mean plan?"
exits "an unknown option" 2 micon plan --stagee tile x.yaml
has "names the nearest" "$T/err" "unknown option --stagee; did you mean --stage?"
exits "an option of another command" 2 micon plan --watch x.yaml
exits "no configuration" 2 micon plan
has "says so" "$T/err" "missing screen.yaml; usage: micon plan screen.yaml (see --help)"
exits "no configuration, of a command with more arguments" 2 micon store add
has "all of them are named" "$T/err" "missing screen.yaml; usage: micon store add screen.yaml STORE (see --help)"
exits "an option of one letter without its value" 2 micon plan x.yaml -n
has "is called as it is written" "$T/err" "micon: error: -n needs a value"
exits "one argument too many" 2 micon plan a.yaml b.yaml
exits "no such file" 2 micon plan "$T/none.yaml"
has "says which" "$T/err" "none.yaml"
screen <<<'tiel: {size: 3}'
exits "a wrong configuration" 2 micon plan "$SCREEN/screen.yaml"
has "with file and line" "$T/err" "screen.yaml:5: "
screen </dev/null
exits "no table" 1 micon plan "$SCREEN/screen.yaml"
has "says what to do" "$T/err" "micon check"

# ---- the plan ----
table s1/b1/P1 s1/b1/P2 s2/b1/P1 >"$SCREEN/load_data.csv"
cd "$SCREEN" || exit 1
plan() { micon plan screen.yaml -n 2 "$@" >"$T/plan" 2>"$T/err" || cat "$T/err" >&2; }
plan; golden "nothing is built" "$T/plan" plan-nothing-built.txt
stages featurize tile
plan; golden "two stages are built" "$T/plan" plan-two-built.txt
stages train embed evaluate
plan; golden "nothing is made" "$T/plan" plan-empty.txt
not_ok "a plan leaves no work folder" test -e work
plan --nodes 8
has "--nodes tells when" "$T/plan" "on 8 nodes"
has "the wall time" "$T/plan" "it finishes at"
has "each stage" "$T/plan" "On 8 nodes of 2 cores, 2 ranks on each for training, links of 10 Gbit/s:"
ok "with its efficiency and its limit" grep -qE '^evaluate +[0-9.]+ [a-z]+ +[0-9]+ %  one step, on one node$' "$T/plan"
plan --nodes 8 --link 0.1 --storage 1KB --set slurm.train.ntasks_per_node=1
has "what is assumed is called so" "$T/plan" \
    "Sums of training: 20 us a round (assumed) and 0.1 Gbit/s (--link) between nodes, 2 us and 32 Gbit/s (assumed) within one;"
has "another link, one rank a node" "$T/plan" "On 8 nodes of 2 cores, 1 rank on each for training, links of 0.1 Gbit/s:"
ok "and another storage" grep -qE '^tile .* storage$' "$T/plan"
mkdir -p work/status
echo '{"format": 1, "local_hop_s": 1e-6, "local_byte_s": 1e-10, "net_hop_s": 5e-6, "net_byte_s": 4e-10, "net_exposed": 1}' \
    >work/status/network.json
plan --nodes 8
has "what was measured too" "$T/plan" \
    "Sums of training: 5 us a round (measured) and 20 Gbit/s (measured) between nodes, 1 us and 80 Gbit/s (measured) within one."
echo '{"format": 1, "local_hop_s": -1, "net_hop_s": "x", "net_byte_s": 1e999}' >work/status/network.json
plan --nodes 8
has "nonsense is not" "$T/plan" "20 us a round (assumed) and 10 Gbit/s (assumed) between nodes"
rm -r work
exits "--network alone" 2 micon plan screen.yaml --network
has "says what it goes with" "$T/err" "--network goes with --calibrate"
stage() { "$MICON_BIN/micon-$1" screen.yaml "${@:2}"; }
plates="s1/b1/P1 s1/b1/P2 s2/b1/P1"
for p in $plates; do stage tile --plate $p; done
stage featurize; stage train
for p in $plates; do stage embed --plate $p; done
stage evaluate
plan; golden "everything is up to date" "$T/plan" plan-current.txt
plan --nodes 8; has "--nodes with nothing left says how" "$T/plan" "are up to date; with --force --nodes estimates all of it."
plan --set tile.size=96; golden "another tile size" "$T/plan" plan-size.txt
plan --force --stage tile --plate P2; golden "--force on one plate" "$T/plan" plan-force.txt
plan --set screen.name=other
has "a key that changes no output changes nothing" "$T/plan" "Nothing to do"
touch work/tiles/s1__b1__P2.h5
plan; has "an output with another time is looked at" "$T/plan" "the file differs from its record"
has "what follows from it too" "$T/plan" "after checking tile"
stage tile --plate s1/b1/P2
rm work/status/tile/s1__b1__P1.made
plan; has "no record: it is looked at" "$T/plan" "no record of what it was made from"
echo '{"format": 1' >work/status/tile/s1__b1__P1.made
plan; has "a damaged record is none" "$T/plan" "no record of what it was made from"
FAKE_VERSION=0.0.1 stage tile --plate s1/b1/P1
plan; has "another version" "$T/plan" "made by another version"
FAKE_FROM='index rows: 0000000000000001\n' stage tile --plate s1/b1/P1
plan; has "other rows of the tables" "$T/plan" "its rows of the tables have changed"
stage tile --plate s1/b1/P1
rm work/tiles/s2__b1__P1.h5
plan; golden "one output is gone" "$T/plan" plan-gone.txt
stage tile --plate s2/b1/P1

# ---- inputs by content ----
came() { # STAGE FOLDER PLATE... : its record lists these
    { echo "digest,size,mtime_ns,path"; for f in "${@:3}"; do listed "$2/$f.h5"; done; } >"work/status/$1/micon.inputs"
}
listed() { echo "${2:-00000000000000aa},$(stat -c %s "$1"),$(date -r "$1" +%s%N),$1"; }
remembered() { came train work/tiles s1__b1__P1 s1__b1__P2 s2__b1__P1; listed work/compounds.h5 "$1" >>work/status/train/micon.inputs; }
remembered 00000000000000ff
plan; has "an input with other contents" "$T/plan" "compounds.h5 has changed"
remembered 00000000000000aa
plan; has "the same contents" "$T/plan" "Nothing to do"
echo "00000000000000aa,12,13,images/gone.tif" >>work/status/train/micon.inputs
plan; has "an input that is gone" "$T/plan" "gone.tif is gone"
rm work/status/train/micon.inputs
came train work/tiles s1__b1__P1 s1__b1__P2
plan; has "a plate that came after the training" "$T/plan" "s2__b1__P1.h5 is there now"
came train work/tiles s1__b1__P1 s1__b1__P2 s2__b1__P1
plan; has "all plates are listed" "$T/plan" "Nothing to do"
came evaluate "$SCREEN/work/embeddings/micon" s1__b1__P1 s2__b1__P1
plan; has "a plate that came after the evaluation" "$T/plan" "s1__b1__P2.h5 is there now"
came evaluate "$SCREEN/work/embeddings/micon" s1__b1__P1 s1__b1__P2 s2__b1__P1
plan; has "all of them are listed, by absolute paths" "$T/plan" "Nothing to do"
rm work/status/{train,evaluate}/micon.inputs
printf 'digest,size,mtime_ns,path\n%s,12,13,images/a.tif\n' 00000000000000aa >work/status/tile/s1__b1__P1.inputs
plan; has "images are not looked at" "$T/plan" "Nothing to do"
plan --images; has "--images looks at them" "$T/plan" "a.tif is gone"
rm work/status/tile/s1__b1__P1.inputs

# ---- choosing ----
exits "an ambiguous plate" 2 micon plan screen.yaml --plate P1
has "names them all" "$T/err" "'P1' is ambiguous: s1/b1/P1, s2/b1/P1"
exits "an unknown plate" 2 micon plan screen.yaml --plate P22
has "names the nearest" "$T/err" "no plate 'P22' in the screen; did you mean P2?"
exits "a plate like no other: exit 2" 2 micon plan screen.yaml --plate something-else
has "names one that there is" "$T/err" "no plate 'something-else' in the screen; the first plate is s1/b1/P1"
exits "an unknown stage" 2 micon plan screen.yaml --stage tiles
has "names the nearest" "$T/err" "did you mean tile?"
exits "a rank count of zero" 2 micon plan screen.yaml -n 0

# ---- other flows ----
plan --set embed.model=model.safetensors; golden "an existing model: nothing is trained" "$T/plan" plan-model.txt
plan --set train.method=simclr
not_ok "no structures, and none needed: no featurize" grep -q featurize "$T/plan"
ok "but training" grep -q "^train" "$T/plan"
printf 'Metadata_JCP2022,gene\nJCP2022_000001,TP53\n' >genes.csv
plan --set train.method=pretrained --set screen.compound=genes.csv
not_ok "a table without SMILES: no featurize" grep -q featurize "$T/plan"
plan --set train.method=clip --set screen.compound=genes.csv
ok "where the method needs structures, featurize says what is missing" grep -q "^featurize" "$T/plan"
plan --set evaluate.profiles=table.csv; golden "an outside table: only evaluate" "$T/plan" plan-profiles.txt

# ---- programs that are not built ----
exits "micon verify without micon-store" 1 micon verify x.h5
has "says so" "$T/err" "micon verify needs the program micon-store, which is not built"
tap_done
