#!/usr/bin/env bash
# run: limit=60
# What pages, job scripts and tests repeat by hand agrees with the sources: keys of the configuration and their defaults, stages, methods,
# places, kinds and datasets of files, settings of metrics, exit statuses.
. tests/tap.sh
cd "$ROOT" || exit 1
pages=(README.md CONTRIBUTING.md docs/*.md)
"$BIN/micon" --help-words >"$T/words"
"$BIN/micon" --help-keys | tr -d '\\' >"$T/help"

# none "what" : there is nothing on stdin
none() { same "$1" "$(paste -sd ' ')" ""; }
# in_page PAGE : those of the words on stdin that the page does not have; that there are none at all is an error too
in_page() { local w n=0; while IFS= read -r w; do n=1; grep -qF -- "$w" "$1" || echo "$w"; done; [ $n = 1 ] || echo "(no words)"; }
# strings FILE BEGIN : the first quoted string after a beginning of lines
strings() { sed -n "s/$2[^\"]*\"\([^\"]*\)\".*/\1/p" "$1"; }
# default_of SECTION KEY : as the help shows it
default_of() { awk -v section="$1" -v key="$2" '$1 == ".SS" {in_it = $2 == section} in_it && $0 ~ "^fB" key ":" {getline
    sub(/.*\[/, ""); sub(/[];].*/, ""); print; exit}' "$T/help"; }

# ---- keys ----
cut -f 2 "$T/words" | sort -u >"$T/known"
sed -n '/^const config_re/,/^};/s/{"\([a-z]*\)", "\([a-z_]*\)"[^}]*}/\n\1.\2\n/gp' common/config/options.c |
    grep -E '^[a-z]+\.[a-z_]+$' >>"$T/known"
sections=$(sed -n 's/^\.SS \([a-z]*\).*/\1/p' "$T/help" | sort -u | paste -sd '|')
grep -ohE "\`($sections)\.[A-Za-z0-9_.*]+" "${pages[@]}" | tr -d '\`' | sed 's/slurm\.STAGE/slurm.tile/; s/\.$//' | sort -u |
    grep -vE '\.(c|h|js|csv|yaml|md)$' >"$T/named"
ok "pages name keys" [ "$(grep -c . "$T/named")" -gt 60 ]
unknown_keys() { local key pattern; while IFS= read -r key; do
    pattern=${key//./\\.}
    grep -qE "^${pattern//\*/.*}(\..*)?$" "$T/known" || echo "$key"
done; }
none "each key that a page names exists" < <(unknown_keys <"$T/named")

# ---- defaults: the page's words, the section and key, the default that they state ----
while IFS='|' read -r page words section key value; do
    ok "$page: $words" grep -qF -- "$words" "$page"
    same "$section.$key" "$(default_of "$section" "$key")" "$value"
done <<'END'
docs/method.md|(ECFP4 by default)|featurize|fingerprint|ECFP4
docs/method.md|batch by default), which is relaxed|train|positives|other_batch
README.md|  control: JCP2022_033924 |screen|control|JCP2022_033924
README.md|  channels: [DNA, ER, RNA, AGP, Mito]|screen|channels|DNA,ER,RNA,AGP,Mito
README.md|  work: work |screen|work|work
README.md|224 for real images|tile|size|224
END
same "the drawn screens' control is the default" "$(sed -n 's/^#define SIM_CONTROL "\(.*\)"/\1/p' stages/simulate/simulate.h)" \
    "$(default_of screen control)"
empty=$(sed -n 's/^#define SIM_EMPTY "\(.*\)"/\1/p' stages/simulate/simulate.h)
ok "they have empty wells" [ -n "$empty" ]
same "which are JUMP's" "$empty" "$(sed -n 's/^#define INDEX_NO_COMPOUND "\([^"]*\)".*/\1/p' include/micon/index/index.h)"

# ---- stages, methods ----
sed -n 2p jobs/stage.sh >"$T/stage.sh"
stages=$(awk -F '\t' '$1 == "stage" {print $2}' "$T/words")
same "docs/architecture.md lists the stages of the driver" \
    "$(sed -n 's/^The driver runs what has a row in .*stage_table.c.: \(.*\)\. .micon-simulate.*/\1/p' docs/architecture.md)" \
    "$(paste -sd ' ' <<<"$stages" | sed 's/ /, /g')"
none "README.md draws all stages" < <(sed 's/^/micon-/' <<<"$stages" | in_page README.md)
programs() { (cd "$BIN" && printf "| \`$1%s\` |\n" $(ls -d micon-* | sed 's/^micon-//')); }
none "docs/guide.md has a row per program" < <(programs micon- | in_page docs/guide.md)
none "docs/architecture.md has a row per program" < <(programs "" | in_page docs/architecture.md)
none "jobs/stage.sh names its stages" < <(sed -n 's/.*\.job = "stage.sh \([a-z]*\)".*/\1/p' pipeline/stage_table.c | in_page "$T/stage.sh")
grep '^| `train.method` |' docs/guide.md >"$T/methods"
awk -F '\t' '$2 == "train.method" {print $4}' "$T/words" | tr '|' '\n' | sed 's/.*/`&`/' >"$T/method_words"
ok "methods are known" [ "$(grep -c . "$T/method_words")" -ge 6 ]
none "docs/guide.md lists all methods" < <(in_page "$T/methods" <"$T/method_words")
none "docs/method.md has all methods" < <(tr -d '`' <"$T/method_words" | in_page docs/method.md)

# ---- files ----
formats=include/micon/config/file_formats.h
grep -F '@`micon-kind`' docs/file-formats.md >"$T/kinds"
none "docs/file-formats.md lists the kinds" < <(sed -n 's/^#define [A-Z]*_KIND "\([a-z]*\)".*/`\1`/p' $formats | in_page "$T/kinds")
sed -n '/ places below work /,/ status files of stages/p; / datasets /,/ by whoever starts mpirun/p' $formats |
    sed -n 's/^#define [A-Z_]* "\(.*\/\)*\([^"\/]*\)".*/\2/p' >"$T/places"
none "docs/file-formats.md has the places and datasets of file_formats.h" < <(in_page docs/file-formats.md <"$T/places")
none "and the mark of block digests" < <(strings common/store/blocks.c '^static const char mark' | in_page docs/file-formats.md)
none "and the settings of metrics" < <(strings stages/evaluate/metric_table.c '^ *\[[A-Z_]*\] = {' | in_page docs/file-formats.md)
none "and the report's tables" < <(strings stages/evaluate/outputs.c '^.*\[[A-Z_]*_\(CSV\|JSON\)\] = ' | in_page docs/file-formats.md)

ok "docs/scale.svg has the model's curves" cmp -s docs/scale.svg <(bash tests/scale_curves.sh)

# ---- metrics that the demo's table asks for; exit statuses ----
sed -n 's/^    METRIC([A-Z_0-9]*, "\([a-z_0-9]*\)".*/\1/p' stages/evaluate/metric_table.h >"$T/metrics"
sed -n 's/.*|\([a-z_]*\)|[a-z_]*|[0-9]*$/\1/p' tests/demo.sh | sort -u >"$T/asked"
ok "the demo asks for metrics" [ -s "$T/asked" ]
none "the demo's metrics exist" < <(grep -vxFf "$T/metrics" "$T/asked")
stopped=$(sed -n 's/.*E_AGAIN ? \([0-9]*\).*/\1/p' common/base/status.c)
ok "the exit status of a stop is known" [ -n "$stopped" ]
without() { local f; for f; do grep -qw "$stopped" "$f" || echo "$f"; done; }
none "the exit status of a stop is the same everywhere" < <(without README.md docs/guide.md docs/architecture.md docs/cluster.md \
    CONTRIBUTING.md pipeline/main.c jobs/train.sh jobs/env.sh include/micon/base/status.h)
tap_done
