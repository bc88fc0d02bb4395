#!/usr/bin/env bash
# run: limit=400
# The commands of README.md and docs/, verbatim, in a folder that looks like a clone; and the output they show. Times and sizes may
# differ. Blocks are marked <!-- test: NAME -->, the expected output <!-- expect: NAME -->; every marked block must be run here.
. tests/tap.sh
unset MICON_BIN MICON_HOME SLURM_JOB_ID SLURM_RESTART_COUNT SLURM_CONF
README=$ROOT/README.md
pages=("$README" "$ROOT/CONTRIBUTING.md" "$ROOT/NEWS.md" "$ROOT/tests/README.md" "$ROOT"/docs/*.md)
clone=$T/micon
mkdir -p "$clone" "$T/slurm"
for f in "$ROOT"/*; do ln -s "$f" "$clone"; done
rm -rf "$clone/shared" "$clone/tables"
rm -f "$clone/site.local.mk" "$clone/site.env" "$clone/demo" "$clone/my_screen"
# The cluster's commands are stand-ins; tests/e2e/slurm_driver.sh has a real one.
export FAKE=$T/fake
mkdir "$FAKE"
for f in sbatch squeue scontrol; do ln -s "$ROOT/tests/fakebin/$f" "$T/slurm"; done
export PATH=$BIN:$T/slurm:$PATH MICON_HOME=$clone

block() { awk -v mark="<!-- $1: $2 -->" '$0 == mark {found = 1; next} found && /^```/ {if (inside) exit; inside = 1; next} inside' \
    "${pages[@]}"; }
plain() { sed -E 's/[0-9]+(\.[0-9]+)? (s|min|h|kB|MB|GB)\>/N \2/g; s/ +/ /g; s/ $//' "$1"; }

ran=two,demo,python,
# runs NAME : the block's commands succeed, and print the lines that the README shows (others may stand between them)
runs() {
    local t0=$SECONDS line missing=0
    block test "$1" >"$T/$1.sh"
    ran="$ran$1,"
    grep -q '^make -j2$' "$T/$1.sh" && ! make -s -C "$ROOT" -q DEPS=no programs && sed -i 's/^make -j2$/: built otherwise/' "$T/$1.sh"
    (cd "$clone" && bash -eu -o pipefail "$T/$1.sh") >"$T/$1.out" 2>&1 </dev/null
    local rc=$?
    [ $rc = 0 ] || sed 's/^/#   | /' "$T/$1.out" | tail -n 12
    ok "$1: $(grep -c . "$T/$1.sh") lines of commands, in $((SECONDS - t0)) s" [ $rc = 0 -a -s "$T/$1.sh" ]
    block expect "$1" >"$T/$1.want"
    plain "$T/$1.out" >"$T/$1.plain"
    while IFS= read -r line; do
        [ -z "$line" ] || grep -qxF -- "$line" "$T/$1.plain" || { missing=1; echo "#   not seen: $line"; }
    done < <(plain "$T/$1.want")
    if [ -s "$T/$1.want" ]; then ok "$1: prints what the page shows" [ $missing = 0 ]; fi
}

# `make demo` is run by tests/e2e/demo.sh, which compares its table with the one shown; `make check` is what runs this.
block test two >"$T/two"
same "two commands" "$(sed 's/ *#.*//' "$T/two" | xargs)" "make demo make check"
while read -r picture; do
    ok "$picture is there, and small" sh -c 'n=$(stat -c %s "$1") && [ "$n" -gt 10000 ] && [ "$n" -lt 300000 ]' - "$ROOT/$picture"
done < <(sed -n 's/^!\[.*](\(.*\))$/\1/p' "$README")
runs "quick start"
same "the quick start is at most six commands" "$([ "$(grep -c . "$T/quick start.sh")" -le 6 ] && echo yes)" yes
ok "a report to look at" test -s "$clone/demo/work/reports/micon/report.html"
runs again
runs outside
ok "outside: a report of its own" test -s "$clone/demo/work/reports/outside/report.html"
runs own
ok "own: a picture to look at" test -s "$clone/my_screen/S1B01P001.png"
runs table
runs model
runs share
ok "share: a store" test -s "$clone/shared/profiles.h5ad"
runs predict
runs stages
if /usr/bin/python3 -c 'import anndata, h5py' 2>/dev/null; then
    block test python >"$T/reader.py"
    exits "the Python reader" 0 env -C "$clone" /usr/bin/python3 -W ignore "$T/reader.py"
    has "sees the wells" "$T/out" "(48, 1000)"
    has "the tiles" "$T/out" "(12, 5, 48, 48) ['DNA', 'ER', 'RNA', 'AGP', 'Mito']"
    has "and the tensors" "$T/out" "tensors and their description"
else
    skip "the Python reader" "python3-anndata is not installed"
fi
runs cluster
has "cluster: the site's account is used" "$T/cluster.out" "--account=my_lab"
ok "cluster: jobs are in the queue" grep -q PENDING "$FAKE/queue"
has "cluster: status shows them" "$T/cluster.out" "queued"

# ---- what else the pages say ----
same "every marked block was run" "$(sed -n 's/^<!-- \(test\|expect\): \(.*\) -->$/\2/p' "${pages[@]}" |
    while read -r name; do case ",$ran" in *",$name,"*) ;; *) echo "$name" ;; esac; done)" ""
for p in "$BIN"/micon-*; do has "${p##*/} is explained" "$ROOT/docs/guide.md" "\`${p##*/}\`"; done
same "every command of the driver that it names is there" "$(grep -oE '^ micon (check.*clean|compare.*store)' "$README" | tr -d '|' |
    xargs -n1 | grep -v micon | while read -r c; do micon "$c" --help >/dev/null || echo "$c"; done)" ""
for t in $(sed -n '/^## 12/,/^## 13/p' "$ROOT/docs/method.md" | grep '^|' | awk -F'|' '{print $4}' | grep -oE '`[a-z_0-9]+`' |
    tr -d '`'); do
    ok "the test $t is there" bash -c 'compgen -G "$1" >/dev/null' - "$ROOT/tests/*/$t.*"
done
# Files and folders of the tree, links between pages, targets of make.
missing=$(grep -ohE '`(common|include|stages|pipeline|jobs|tests|docs)/[A-Za-z0-9_./-]+`' "${pages[@]}" | tr -d '`' |
    grep -vE 'ROOM|NAME' | sort -u |
    while read -r f; do [ -e "$ROOT/$f" ] || echo "$f"; done)
same "every file that a page names is there" "$missing" ""
for page in "${pages[@]}"; do
    same "${page#"$ROOT"/}: links lead somewhere" "$(grep -oE "\]\([^)#:]+[)#]" "$page" | sed "s|..||; s|[)#]\$||" |
        while read -r f; do [ -e "$(dirname "$page")/$f" ] || echo "$f"; done)" ""
done
for target in $(grep -ohE '`make [a-z][a-z.-]*' "${pages[@]}" | awk '{print $2}' | sort -u); do
    ok "make $target is a target" grep -qE "^([a-z.-]+ )*$target( [a-z.-]+)*:" "$ROOT/Makefile"
done
tap_done
