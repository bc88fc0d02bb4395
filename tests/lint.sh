#!/usr/bin/env bash
# lint.sh -- formatting, static analysis, shell scripts, the layer rule, what programs link. Says what it could not run.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0
note() { echo "lint: $*"; bad=1; }
c_files=$(git ls-files '*.c' '*.h' '*.cc')
have() { command -v "$1" >/dev/null || { echo "lint: $1 is not installed: skipped"; return 1; }; }

# ---- formatting ----
if have clang-format; then
    for f in $c_files; do clang-format --dry-run -Werror "$f" 2>/dev/null || note "$f: not formatted; clang-format -i $f"; done
fi

# ---- layers: who may include whom ----
# The layer of a header is the folder of the source it belongs to; STYLE: a lower one never includes an upper one.
layer_of() { # FILE
    case $1 in
    common/base/*) echo 1 ;; common/data/*) echo 2 ;; common/nn/* | common/profile/*) echo 3 ;; common/par/*) echo 4 ;;
    pipeline/*) echo 5 ;; stages/*) echo 6 ;; *) echo 9 ;;
    esac
}
declare -A home
for h in include/micon/*.h; do
    n=$(basename "$h" .h)
    src=$(ls common/*/"$n".c common/*/"$n".cc common/*/"${n}"_*.c 2>/dev/null | head -n 1)
    home[$n]=$(layer_of "${src:-common/base/x}")
done
for f in $(git ls-files 'common/*.c' 'common/*.cc' 'common/*.h'); do
    l=$(layer_of "$f")
    for n in $(sed -n 's|^#include "micon/\(.*\)\.h".*|\1|p' "$f"); do
        [ "${home[$n]:-1}" -le "$l" ] || note "$f: includes micon/$n.h of an upper layer"
    done
done
grep -lE '^#include [<"](mpi|hdf5)\.h' $(git ls-files 'common/base/*' 'common/data/*' 'common/nn/*' 'common/profile/*' 'pipeline/*') /dev/null |
    sed 's/$/: MPI or HDF5 below common\/par/' | while read -r l; do echo "lint: $l"; done | grep . && bad=1
for f in $(git ls-files 'stages/*' 'common/*' 'pipeline/*' | grep -E '\.(c|cc|h)$' | grep -v '^common/par/store'); do
    grep -q '^#include [<"]hdf5' "$f" && note "$f: only common/par/store*.c know HDF5"
done
for f in $(git ls-files 'common/nn/*' 'stages/*' 'common/*' | grep -E '\.(c|h)$' | grep -v '^common/nn/dnn'); do
    grep -q '#include [<"]\(oneapi/\)\?dnnl' "$f" && note "$f: oneDNN belongs to common/nn/dnn*.c"
done
for f in $(git ls-files 'stages/*'); do
    own=$(echo "$f" | cut -d/ -f2)
    grep -oE '#include "[^"]*stages/[a-z]+' "$f" | grep -v "stages/$own" | grep -q . && note "$f: includes another stage"
done
# ---- collective functions must not leave early between collectives ----
for f in $(git ls-files 'common/par/*.c' 'stages/*.c'); do
    awk -v f="$f" '/^[a-z].*_all\(.*\)$/ || /^(static )?status [a-z_]*_all\(/ {inside=1; n=0; name=$0} inside && /^}/ {inside=0}
        inside && /TRY_ALL|TRY\(/ {n++} inside && /^    +.*return / && n>0 && !/return st;/ && !/lint: ok/ {print f ": " FNR ": a return between collectives in " name}' "$f"
done | while read -r l; do echo "lint: $l"; done | grep . && bad=1
grep -nE '\b(atoi|atof|strcpy|sprintf|gets|rand)\(' $(git ls-files 'common/*.c' 'stages/*.c' 'pipeline/*.c') /dev/null | sed 's/^/lint: not used here: /' | grep . && bad=1

# ---- programs: Open Babel (GPL) and oneDNN (Apache) never in one; the driver without MPI ----
for p in build/release/bin/*; do
    [ -x "$p" ] || continue
    libs=$(ldd "$p")
    echo "$libs" | grep -q libopenbabel && echo "$libs" | grep -q libdnnl && note "$p: links both Open Babel and oneDNN"
    [ "$(basename "$p")" = micon ] && echo "$libs" | grep -qE 'libmpi|libhdf5' && note "$p: the driver links MPI or HDF5"
done

# ---- static analysis ----
if have cppcheck; then
    cppcheck -q --std=c11 --enable=warning,portability --inline-suppr --suppress=missingInclude --suppress=unmatchedSuppression --suppress=invalidPointerCast --suppress=varFuncNullUB --suppress=uninitvar:common/nn/dnn.c --suppress=invalidFunctionArg:common/nn/heads.c --suppress=ctunullpointer:common/base/text.c \
        --error-exitcode=1 -Iinclude $(git ls-files 'common/*.c' 'stages/*.c' 'pipeline/*.c') || bad=1
fi
if have shellcheck; then
    shellcheck -S warning -e SC2034,SC1090,SC1091,SC2154,SC2046,SC2089,SC2090 $(git ls-files '*.sh') .ci/run || bad=1
fi
[ $bad = 0 ] && echo "lint: clean"
exit $bad
