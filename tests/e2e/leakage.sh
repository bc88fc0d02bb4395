#!/usr/bin/env bash
# run: long limit=1200
# Does anything find compounds where nothing can be found? Labels are dealt out again within plates, on a screen with fixed places and
# effects of positions; structures are dealt out again among compounds. Each method must be at chance in each setting, and the same figures
# clearly above chance where nothing is dealt. Then leaks on purpose: judged wells take part in training, compounds change places in the
# same way on all plates, unseen compounds are trained on. Each must be noticed.
#
# Images are gratings as strong as the drawn factors (tests/tools/pattern_images.c), so that a linear layer on a network of first weights
# learns in seconds. Structures are given vectors: the compounds' drawn effects.
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
export OMP_NUM_THREADS=1

exits "a screen" 0 "$BIN/micon-simulate" --out screen --sources 3 --batches 2 --wells 192 --sites 1 --size 32 --compounds 155 \
    --layout fixed --position 0.5 --seed 3 --quiet
ok "gratings" "$BIN/../tests/tools/pattern_images" screen 32
cd screen || exit 1
zcat metadata/well.csv.gz >well.csv
# The last 12 columns are the effect; names of compounds may contain commas.
awk -F, '{ printf "%s", $1; for (i = NF - 11; i <= NF; i++) printf ",%s", $i; print "" }
    END { printf "JCP2022_033924"; for (i = 1; i <= 12; i++) printf ",0"; print "" }' truth/compounds.csv >vectors.csv
awk -F, 'NR == FNR { has[$4] = 1; next } $(NF - 13) == "yes" && $1 in has { print $1 }' well.csv truth/compounds.csv >active
{ echo Metadata_JCP2022; awk 'NR % 3 == 1' active; } >unseen.csv

DRAW='function draw(n) { state = state * 16807 % 2147483647; return 1 + state % n }
    function deal(a, n,   i, j, t) { for (i = n; i > 1; i--) { j = draw(i); t = a[i]; a[i] = a[j]; a[j] = t } }
    BEGIN { FS = OFS = ","; state = 20240229 }'
awk "$DRAW"'
    function flush(   i) { deal(id, m); for (i = 1; i <= m; i++) print place[i], id[i]; m = 0 }
    NR == 1 { print; next } $1 "," $2 != plate { flush(); plate = $1 "," $2 }
    $4 ~ /^JCP2022_2/ { m++; place[m] = $1 OFS $2 OFS $3; id[m] = $4; next } { print } END { flush() }' well.csv >labels.csv
same "labels: as many wells of each compound on each plate" "$(cut -d, -f1,2,4 labels.csv | sort | md5sum)" \
    "$(cut -d, -f1,2,4 well.csv | sort | md5sum)"
awk "$DRAW"'{ id[++n] = to[n] = $1 } END { deal(to, n); for (i = 1; i <= n; i++) print id[i], to[i] }' active >other.csv
awk -F, -v OFS=, 'NR == FNR { other[$1] = $2; next } $4 in other { $4 = other[$4] } { print }' other.csv well.csv >exchanged.csv
awk -F, 'FNR == 1 { pass++ } pass == 1 { other[$1] = $2; next } pass == 2 { v[$1] = substr($0, length($1) + 1); next }
    { print $1 v[$1 in other ? other[$1] : $1] }' other.csv vectors.csv vectors.csv >dealt.csv
same "structures: the same vectors" "$(cut -d, -f2- dealt.csv | sort | md5sum)" "$(cut -d, -f2- vectors.csv | sort | md5sum)"

# configuration NAME WELLS VECTORS: of the work folder NAME.work
configuration() {
    local name=$1
    shift
    sed "/compound:/d; /^split/,\$d; s|metadata/well.csv.gz|$1.csv|; s|work: work|work: $name.work|" screen.yaml
    cat <<Y
split: {test_batches: 1, unseen_sources: [source_3], unseen_compounds: unseen.csv}
featurize: {vectors: $2.csv}
train: {dim: 200, projection: 64, temperature: 0.1, lr: 0.003, batch: 64, steps: 150, positives: any, augment: none}
embed: {counterfactual_compounds: unseen, precision: fp32}
evaluate: {wells: held_out, images: no, null_size: 20, bootstrap: 20}
Y
}
for name in well labels exchanged dealt; do
    if [ $name = dealt ]; then configuration dealt well dealt; else configuration $name $name vectors; fi >$name.yaml
    exits "$name: tiles" 0 "$BIN/micon-tile" $name.yaml --quiet
    exits "$name: vectors" 0 "$BIN/micon-featurize" $name.yaml --quiet
done

train() { # NAME RUN KEY=VALUE...
    local name=$1 run=$2 k keys=()
    shift 2
    for k in "$@"; do keys+=(--set "$k"); done
    exits "$name, $run: trained" 0 "$BIN/micon-train" "$name.yaml" --quiet --set train.run="$run" "${keys[@]}"
}
judge() { # NAME RUN KEY=VALUE...
    local name=$1 run=$2 k keys=()
    shift 2
    for k in "$@"; do keys+=(--set "$k"); done
    exits "$name, $run: embedded" 0 "$BIN/micon-embed" "$name.yaml" --quiet --set train.run="$run" "${keys[@]}"
    exits "$name, $run: judged" 0 "$BIN/micon-evaluate" "$name.yaml" --quiet --set train.run="$run" "${keys[@]}"
}
# figures NAME RUN METRIC: a line per figure in the first 10: PROFILES METRIC SETTING VALUE LOW HIGH CHANCE VERDICT. The interval is over
# compounds, with the quantile of t at a tail of 0.005 / 62: 62 figures are asked to be at chance below, and are all together at 99 %. Few
# hits say little about their own spread: it is at least that of chance with half as many queries, as two wells often find each other.
figures() {
    awk -F, -v metric="$3" '
        $2 != metric || $4 != 10 || $3 !~ /^(seen_sources|unseen_source|unseen_compounds)$/ { next }
        FILENAME ~ /metrics.csv$/ { chance[$1 " " metric " " $3] = $8; next }
        { at = $1 " " metric " " $3; n = ++count[at]; hits[at, n] = $7; queries[at, n] = $8; all_hits[at] += $7; all_queries[at] += $8 }
        END {
            z = 3.77
            for (at in count) {
                m = count[at]; c = chance[at]; r = all_hits[at] / all_queries[at]; s = 0
                for (i = 1; i <= m; i++) s += (hits[at, i] - r * queries[at, i]) ^ 2
                s = s * m / (m - 1) / all_queries[at] ^ 2; by_chance = 2 * c * (1 - c) / all_queries[at]
                half = (z + (z ^ 3 + z) / (4 * (m - 1))) * sqrt(s > by_chance ? s : by_chance)
                verdict = "chance"; if (r - half > c) verdict = "above"; if (r + half < c) verdict = "below"
                print at, r, r - half, r + half, c, verdict
            }
        }' "$1.work/reports/$2/metrics.csv" "$1.work/reports/$2/by_compound.csv" | sort >"$T/figures"
    awk -v name="$1, $2" '{ printf "# %s: %s %s %s %.3f (%.3f to %.3f), chance %.3f: %s\n", name, $1, $2, $3, $4, $5, $6, $7, $8 }' \
        "$T/figures"
}
# all_are VERDICT NAME RUN METRIC COUNT: of COUNT figures
all_are() {
    figures "$2" "$3" "$4"
    same "$2, $3: $4 is $1 in every setting" "$(cut -d' ' -f8 "$T/figures" | sort | uniq -c | tr -s ' ')" " $5 $1"
}
# noticed NAME RUN METRIC: of the figures of a leak some are above chance
noticed() {
    figures "$1" "$2" "$3"
    ok "$1, $2: the leak is noticed in $3" grep -q 'above$' "$T/figures"
}

train well first train.method=paclr train.lr=1e-12 train.steps=15 train.batch=8
FIRST=well.work/models/first/model.safetensors
FROZEN="train.freeze=all train.weights=$FIRST"
# method NAME RUN KEY=VALUE...: trained on the frozen network's outputs, and judged
method() { train "$@" $FROZEN; judge "$@" $FROZEN; }
# Predictions are compared after the projection head.
PREDICT="train.method=micon embed.representation=projected"
retrieval() { all_are "$1" "$2" "$3" nsb 6; all_are "$1" "$2" "$3" nss 6; } # VERDICT NAME RUN

# ---- labels: above chance as they are, at chance where they are dealt out again within plates ----
for m in micon paclr clip; do
    for name in well labels; do
        how=train.method=$m
        [ $m = micon ] && how=$PREDICT
        method $name $m $how
        retrieval "$([ $name = well ] && echo above || echo chance)" $name $m
    done
done
train labels simclr train.method=simclr train.weights=$FIRST train.freeze=layer3 train.augment=full train.batch=16 train.steps=6
judge labels simclr train.method=simclr
retrieval chance labels simclr
judge labels untrained embed.model=$FIRST embed.counterfactual=no
retrieval chance labels untrained

# ---- structures: predictions of unseen compounds ----
all_are above well micon counterfactual 2
method dealt micon $PREDICT
all_are chance dealt micon counterfactual 2

# ---- leaks on purpose: a projection head learns dealt labels of wells that it sees by heart, a generator dealt structures ----
EVERYTHING="split.test_batches=0 split.unseen_sources=[] split.unseen_compounds=0"
train labels leak train.method=paclr $FROZEN $EVERYTHING train.steps=600
judge labels leak embed.model=labels.work/models/leak/model.safetensors embed.counterfactual=no embed.representation=projected
noticed labels leak nsb
judge exchanged untrained embed.model=$FIRST embed.counterfactual=no
noticed exchanged untrained nsb
train dealt leak $PREDICT $FROZEN $EVERYTHING train.steps=600
judge dealt leak $PREDICT embed.model=dealt.work/models/leak/model.safetensors embed.counterfactual_compounds=unseen.csv
noticed dealt leak counterfactual
tap_done
