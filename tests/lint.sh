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
# A room is a folder of common/ with its headers in include/micon/ROOM/. This table says which other rooms each may include; what is not named is refused,
# upward and sideways alike. Stages and the driver may include any room below them (last lines).
declare -A allowed=(
    [base]="" [config]="base" [formats]="base" [compound]="base" [mpi]="base"
    [table]="base formats" [tiling]="base formats" [provenance]="base config formats"
    [index]="base config formats table"
    [nn]="base config formats" [profile]="base nn"
    [store]="base table mpi"
    [stage]="base config formats table index compound tiling provenance nn profile mpi store"
    [stages]="base config formats table index compound tiling provenance nn profile mpi store stage"
    [pipeline]="base config formats table index compound tiling provenance nn"
)
room_of() { # FILE
    case $1 in
    include/micon/*/*) f=${1#include/micon/}; echo "${f%%/*}" ;;
    common/*/*) f=${1#common/}; echo "${f%%/*}" ;;
    stages/*) echo stages ;; pipeline/*) echo pipeline ;;
    esac
}
for f in $(git ls-files | grep -E '^(common|include|stages|pipeline)/.*\.(c|cc|h)$'); do
    room=$(room_of "$f")
    [ -n "${allowed[$room]+x}" ] || { note "$f: the room '$room' is not in the layer table of tests/lint.sh"; continue; }
    for other in $(sed -n 's|^#include "micon/\([^/"]*\)/.*|\1|p' "$f" | sort -u); do
        [ "$other" = "$room" ] && continue
        case " ${allowed[$room]} " in *" $other "*) ;; *) note "$f: includes a header of '$other', which '$room' may not" ;; esac
    done
    grep -nE '^#include "(micon/[^/"]*"|.*/.*_impl\.h"|\.\./)' "$f" | sed "s|^|lint: $f: an include that crosses rooms without naming one: |" | grep . && bad=1
done
# A public header is one that another room, a test or another public header includes; the rest are NAME_impl.h beside their source.
for h in $(git ls-files 'include/micon/*/*.h'); do
    room=$(room_of "$h")
    git grep -lF "\"${h#include/}\"" -- '*.c' '*.cc' '*.h' | grep -v "^common/$room/" | grep -q . || note "$h: nobody outside common/$room includes it: make it common/$room/$(basename "$h" .h)_impl.h"
done
for f in $(git ls-files | grep -E '^(common|include|stages|pipeline)/.*\.(c|cc|h)$'); do
    case $f in common/store/*) ;; *) grep -qE '^#include [<"]hdf5' "$f" && note "$f: only common/store knows HDF5" ;; esac
    case $f in common/nn/onednn*) ;; *) grep -qE '#include [<"](oneapi/)?dnnl' "$f" && note "$f: only common/nn/onednn*.c know oneDNN" ;; esac
    case $f in common/mpi/* | common/store/* | common/stage/* | include/micon/mpi/* | include/micon/store/* | include/micon/stage/* | stages/*) ;;
    *) grep -qE '^#include [<"]mpi\.h' "$f" && note "$f: MPI below common/mpi" ;; esac
done
for f in $(git ls-files 'stages/*'); do
    own=$(echo "$f" | cut -d/ -f2)
    grep -oE '#include "[^"]*stages/[a-z]+' "$f" | grep -v "stages/$own" | grep -q . && note "$f: includes another stage"
done
# ---- collective functions must not leave early between collectives ----
for f in $(git ls-files 'common/mpi/*.c' 'common/store/*.c' 'common/stage/*.c' 'stages/*.c'); do
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
    cppcheck -q --std=c11 --enable=warning,portability --inline-suppr --suppress=missingInclude --suppress=unmatchedSuppression --suppress=invalidPointerCast --suppress=varFuncNullUB --suppress=uninitvar:common/nn/onednn.c --suppress=invalidFunctionArg:common/nn/heads.c --suppress=ctunullpointer:common/base/text.c \
        --error-exitcode=1 -Iinclude $(git ls-files 'common/*.c' 'stages/*.c' 'pipeline/*.c') || bad=1
fi
if have shellcheck; then
    shellcheck -S warning -e SC2034,SC1090,SC1091,SC2154,SC2046,SC2089,SC2090 $(git ls-files '*.sh') .ci/run || bad=1
fi
[ $bad = 0 ] && echo "lint: clean"
exit $bad
