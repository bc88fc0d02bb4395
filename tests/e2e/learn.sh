#!/usr/bin/env bash
# run: long alone limit=3000
# What the whole is for: on a drawn screen of three centres, a resnet18 from scratch finds a compound again in batches it never saw, far
# better than a network that was not trained; where the compounds are shuffled within plates, for training and scoring, it finds nothing.
# The figure is micon-train's own: NSB top-1 of the means of h over the wells of the validation batches, two a centre.
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
export OMP_NUM_THREADS=1
last() { sed -n 's/.*"'"$2"'": \([^,}]*\).*/\1/p' "work/$1/models/$1/log.jsonl" | tail -n 1; }
if_true() { awk "BEGIN { exit !($1) }"; }

exits "a screen" 0 mpi 2 "$BIN/micon-simulate" --out screen --sources 3 --batches 5 --wells 96 --sites 2 --compounds 24 --size 96
cd screen || exit 1
SPLIT="--set tile.size=64 --set split.test_batches=0 --set split.valid_batches=2"
TRAIN="--set train.method=paclr --set train.aux=yes --set train.batch=12 --set train.lr=1e-3 --set train.temperature=0.1"
STEPS=200

# The compounds of a plate's treated wells, dealt out again among them.
zcat metadata/well.csv.gz | awk -F, -v OFS=, '
    function draw(n) { state = state * 16807 % 2147483647; return state % n }
    function deal(   i, j, c) { for (i = m; i > 1; i--) { j = 1 + draw(i); c = id[i]; id[i] = id[j]; id[j] = c }
                                for (i = 1; i <= m; i++) print place[i], id[i]; m = 0 }
    BEGIN { state = 20240229 } NR == 1 { print; next }
    $1 "," $2 != plate { deal(); plate = $1 "," $2 }
    $4 ~ /^JCP2022_2/ { m++; place[m] = $1 OFS $2 OFS $3; id[m] = $4; next } { print } END { deal() }' >metadata/shuffled.csv
sed 's|metadata/well.csv.gz|metadata/shuffled.csv|' screen.yaml >shuffled.yaml
same "shuffled: as many wells of each compound on each plate" "$(cut -d, -f1,2,4 metadata/shuffled.csv | sort | md5sum)" \
    "$(zcat metadata/well.csv.gz | cut -d, -f1,2,4 | sort | md5sum)"

# train NAME CONFIGURATION OPTIONS... : with work folder work/NAME
train() {
    local name=$1 from=$2 t0=$SECONDS
    shift 2
    exits "$name: trained" 0 mpi 2 "$BIN/micon-train" "$from" $SPLIT $TRAIN --set screen.work="work/$name" --set train.run="$name" "$@"
    echo "# $name: top-1 $(last "$name" valid_top1) of $(last "$name" valid_queries), chance $(last "$name" valid_chance), loss $(last \
        "$name" loss), $((SECONDS - t0)) s"
}
tiles() { exits "tiles of $1" 0 mpi 2 "$BIN/micon-tile" "$2" $SPLIT --set screen.work="work/$1"; }
tiles trained screen.yaml
mkdir -p work/untrained && ln -s ../trained/tiles work/untrained/tiles
train untrained screen.yaml --set train.lr=1e-12 --set train.steps=30 --set train.valid_every=30
train trained screen.yaml --set train.steps=$STEPS --set train.valid_every=$STEPS
# Embedded by micon-embed and scored by ten lines of numpy: the same but for a tie that rounding decides.
python=/usr/bin/python3
if $python -c 'import h5py, numpy' 2>/dev/null; then
    plates=$(awk -F, '$5 == "valid" { print "--plate " $1 "/" $2 "/" $3 }' work/trained/split.csv | sort -u)
    exits "the held-out plates are embedded" 0 mpi 2 "$BIN/micon-embed" screen.yaml $SPLIT $plates --set screen.work=work/trained \
        --set train.run=trained --set embed.counterfactual=no
    $python "$ROOT/tests/ref/nsb_ref.py" work/trained trained JCP2022_033924 >again 2>"$T/err"
    echo "# the same from the embeddings: $(cat again)"
    ok "the figure from the embeddings is that of the training" awk -v a="$(last trained valid_top1)" -v n="$(last trained valid_queries)" \
        '{ d = ($1 - a) * n; found = $2 == n && d < 2.5 && d > -2.5 } END { exit !found }' again
else skip "the figure from the embeddings is that of the training" "no python3-h5py"; fi
tiles shuffled shuffled.yaml
train shuffled shuffled.yaml --set train.steps=$STEPS --set train.valid_every=$STEPS

# The oracle: the cells' true factors in each of those wells, cosine, the nearest well of another batch.
oracle=$(awk -F, 'FNR == 1 { file++; next } file == 1 { active[$1] = 1; next }
    file == 2 { if ($5 == "valid") valid[$1 "," $2 "," $3 "," $4] = 1; next }
    ($1 "," $2 "," $3 "," $4) in valid && $5 in active {
        n++; batch[n] = $1 "," $2; what[n] = $5; s = 0
        for (k = 0; k < 12; k++) s += $(7 + k) ^ 2
        for (k = 0; k < 12; k++) v[n, k] = $(7 + k) / sqrt(s)
    }
    END {
        for (i = 1; i <= n; i++) {
            top = -2
            for (j = 1; j <= n; j++) {
                if (batch[i] == batch[j]) continue
                s = 0
                for (k = 0; k < 12; k++) s += v[i, k] * v[j, k]
                if (s > top) { top = s; best = j }
            }
            hits += what[best] == what[i]
        }
        print hits / n
    }' truth/compounds.csv work/trained/split.csv truth/wells.csv)
top1=$(last trained valid_top1) untrained=$(last untrained valid_top1)
want=$(awk "BEGIN { a = 3 * $untrained; b = 0.8 * $oracle; print a < b ? a : b }")
echo "# trained $top1, untrained $untrained, oracle $oracle: at least $want"
ok "the oracle is worth something" if_true "$oracle > 0.5 && $oracle <= 1"
ok "trained: three times the untrained network, or 0.8 of the oracle" if_true "$top1 >= $want"
ok "trained: above the untrained network and chance" if_true "$top1 > $untrained && $top1 > 2 * $(last trained valid_chance)"

# Hits of the shuffled run against the 99 % interval of Binomial(queries, chance): either tail has 0.5 %.
tail_of=$(awk -v n="$(last shuffled valid_queries)" -v p="$(last shuffled valid_chance)" -v q="$(last shuffled valid_top1)" 'BEGIN {
    k = int(n * q + 0.5); prob = exp(n * log(1 - p))
    for (i = 0; i <= n; i++) { if (i <= k) below += prob; if (i >= k) above += prob; prob *= (n - i) / (i + 1) * p / (1 - p) }
    print k, (below < above ? below : above) }')
echo "# shuffled: ${tail_of% *} hits of $(last shuffled valid_queries), chance $(last shuffled valid_chance), tail ${tail_of#* }"
ok "shuffled: inside the 99 % interval of chance" if_true "${tail_of#* } >= 0.005"
tap_done
