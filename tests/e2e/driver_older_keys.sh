#!/usr/bin/env bash
# run: limit=180
# A configuration and a finished work folder of the version before some keys were renamed or removed: it runs, says the new
# names, and computes nothing again.
. tests/tap.sh
unset MICON_BIN MICON_HOME
export OMP_NUM_THREADS=1
export PATH="$BIN:$PATH"
cd "$T" || exit 1
micon-simulate --out s --sources 2 --wells 12 --sites 1 --size 48 --compounds 8 --quiet
cd s || exit 1
cp screen.yaml base.yaml
put() {
    sed "/^tile:/a\\  $1: 0.1\\n  $2: 99.9" base.yaml &&
        printf 'train:\n  steps: 2\n  batch: 8\n  %s: other_well\n%s' "$3" "$4" &&
        printf 'evaluate:\n  %s: none\n  bootstrap: 10\n  null_size: 10\nfeaturize:\n  %s: drop\n' "$5" "$6"
}
put percentile_low percentile_high positives "" batch_correction on_missing >screen.yaml
put low high views $'  wire: fp32\n  aux_weight: 1\n' correct missing >older.yaml

# What a file says it was made from, as the earlier version wrote it: shorter names, so the text fits in its place (NULs or spaces fill it
# up). The digests that later versions compare are computed again, or in a model renamed: earlier versions had none.
older() {
    for f in "$@"; do
        touch -r "$f" "$T/time"
        # shellcheck disable=SC2016
        perl -0777 -i -pe '
            sub renamed { my $t = shift; my $n = length $t;
                $t =~ s/tile\.percentile_/tile./g; $t =~ s/featurize\.on_missing/featurize.missing/g;
                $t =~ s/train\.positives/train.views/g;
                $t =~ s/evaluate\.batch_correction/evaluate.correct/g;
                my $m = $t;
                $m =~ s/(train\.aux: \w+)(\\u000a|\n)/$1$2train.aux_weight: 1$2/;
                $m =~ s/(train\.early_stop: \d+)(\\u000a|\n)/$1$2train.wire: fp32$2/;
                $t = $m if /^\{/ || length $m <= $n;
                return ($t, $n - length $t); }
            if (/^\x89HDF/) { s{(screen\.[a-z]+: [^\0]*)}{my ($t, $pad) = renamed($1); $t . "\0" x $pad}ge }
            elsif (/^\{/) { s/,\s*"check": "[0-9a-f]+"//; ($_) = renamed($_) }
            else {
                s/"micon\.digest"/"other.digest"/;
                s{("micon\.made_from":\s*"(?:[^"\\]|\\.)*")}{my ($t, $pad) = renamed($1); $t . " " x $pad}e }' "$f"
        case $f in *.h5 | *.h5ad) "$ROOT/build/release/tests/tools/block_digests" "$f" || exit 1 ;; esac
        touch -r "$T/time" "$f"
    done
}
outputs() { find work -name '*.h5' -o -name '*.h5ad' -o -name '*.safetensors' | sort; }
records() { find work/status -name '*.made' "$@"; }
state() { outputs | xargs stat -c '%n %i %Y'; }

exits "the first stages" 0 micon run screen.yaml -n 2 --stage featurize --stage tile --stage train
older $(outputs)
records -delete
exits "the model's digest is recorded again, as its text has changed" 0 micon run screen.yaml -n 2 --stage featurize --stage tile --stage \
    train
exits "the others" 0 micon run screen.yaml -n 2
older work/embeddings/*/*.h5 work/profiles/*.h5ad $(records)
not_ok "no output knows a new name" grep -rqE \
    'tile.percentile|train.positives|evaluate.batch_correction|featurize.on_missing' $(outputs) work/status \
    --include='*.made' --include='*.h5' --include='*.h5ad' --include='*.safetensors'
ok "but the older ones" grep -q 'tile.low: 0.1' work/status/tile/*S1B01P001.made
ok "and those that were removed" grep -q 'train.aux: no.*train.aux_weight: 1.*train.wire: fp32' work/status/train/*.made
state >"$T/was"

for c in older.yaml screen.yaml; do
    exits "$c: a run" 0 micon run $c -n 2
    has "finds everything up to date" "$T/err" "nothing to do"
done
micon plan older.yaml >"$T/plan" 2>"$T/err"
has "the plan too" "$T/plan" "Nothing to do"
has "and names the new key, with the line of the older one" "$T/err" \
    "older.yaml:$(grep -n ' low:' older.yaml | cut -d: -f1): tile.low is now called tile.percentile_low"
same "once for each" "$(grep -c 'is now called' "$T/err")" 5
same "and those that were removed" "$(grep -c 'was removed: it is always .*; this key is ignored' "$T/err")" 2
micon plan older.yaml --set tile.low=0.2 >"$T/plan" 2>&1
has "a changed value is seen through both names" "$T/plan" "tile.percentile_low was 0.1, is 0.2"

records -delete
exits "without records the stages look at their outputs" 0 micon run older.yaml -n 2
state >"$T/is"
ok "and leave them as they are" cmp "$T/was" "$T/is"

micon plan older.yaml --set train.wire=bf16 >"$T/plan" 2>&1
has "a removed key at another value is refused" "$T/plan" "train.wire was removed: it is always fp32, and cannot be 'bf16'"
perl -0777 -i -pe 's/train\.aux: no/$&\\u000atrain.aux_weight: 2/; s/,\s*"check": "[0-9a-f]+"//' work/status/train/*.made
micon plan older.yaml >"$T/plan" 2>&1
has "a model made with another is trained again" "$T/plan" "train.aux_weight was 2, is always 1 now"

printf 'tile:\n  low: 1\n  size: 48\n  percentile_low: 1\n' >both.yaml
exits "both names of a key" 2 micon check both.yaml
has "are refused, with both lines" "$T/err" \
    "both.yaml:4: 'percentile_low' and 'low' in line 2 are names of one key of section 'tile': keep 'percentile_low'"
exits "also by a stage" 2 mpi 2 "$BIN/micon-tile" both.yaml
exits "a stage with older names" 0 mpi 2 "$BIN/micon-tile" older.yaml
same "says each once, not once a rank" "$(grep -c 'is now called' "$T/err")" 5
for s in tile featurize train evaluate; do
    "$BIN/micon-$s" --help >"$T/help"
    not_ok "$s --help has the new names only" grep -qE '^  (low|high|missing|views|wire|gradient_dtype|aux_weight|correct):' "$T/help"
done
tap_done
