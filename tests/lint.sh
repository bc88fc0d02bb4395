#!/usr/bin/env bash
# lint.sh -- formatting, long lines, layers and cycles, sections that comments cite, the version, static analysis, shell scripts, what
# programs link. Says what it could not run. Objects and programs are those of build/release (`make lint` builds them before).
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0
note() { echo "lint: $*"; bad=1; }
c_files=$(git ls-files '*.c' '*.h' '*.cc')
have() { command -v "$1" >/dev/null || { echo "lint: $1 is not installed: skipped"; return 1; }; }

# ---- formatting ----
if have clang-format; then # all files at once: starting it takes longer than a file
    for f in $(clang-format --dry-run $c_files 2>&1 | sed -n 's/^\([^: ]*\):[0-9]*:[0-9]*: .*clang-format-violations.*/\1/p' | sort -u); do
        note "$f: not formatted; clang-format -i $f"
    done
fi
# ---- no line over 140 columns in anything that a person reads; the rows of pages' tables and addresses are excepted ----
long=$(git ls-files '*.c' '*.h' '*.cc' '*.md' '*.sh' '*.py' '*.js' '*.css' '*.html' '*.mk' Makefile .ci/run CITATION.cff |
    LC_ALL=C.UTF-8 xargs grep -nE '^[^|].{140}' | grep -vE 'https?:' | cut -d: -f1,2)
[ -z "$long" ] || while read -r l; do note "$l: longer than 140 columns"; done <<<"$long"

# ---- every page and section of docs/ that is cited exists: docs/NAME.md, docs/NAME.md N, docs/NAME.md N.M, docs/NAME.md "Heading" ----
while read -r cite; do
    page=${cite%%.md*}.md section=${cite#*.md}
    [ -e "$page" ] || { note "$page is cited, and is not there: $(git grep -lF "$page" -- ':!tests/lint.sh' | head -n 1)"; continue; }
    case $section in
    ' "'*) heading=${section# \"}; grep -qxE "#+ .*${heading%\"}.*|\*\*${heading%\"}\.?\*\*.*" "$page" ;;
    ' '*.*) grep -qE "^\*\*${section# } " "$page" ;; # **2.1 Resampling.** ...
    ' '*) grep -qE "^## ${section# }\. " "$page" ;;
    *) true ;;
    esac || note "$page has no section$section, which is cited: $(git grep -lF "$cite" -- ':!tests/lint.sh' | head -n 1)"
done < <(git grep -ohE 'docs/[a-z-]+\.md( [0-9]+(\.[0-9]+)?| "[A-Z][^"]*")?' -- ':!tests/lint.sh' | sort -u)

# ---- every source file is named in docs/architecture.md: those of common/ with or without their ending, the others by their full name ----
for f in $(git ls-files 'common/*.c' 'common/*.cc' 'stages/*.c' 'stages/*.js' 'stages/*.css' 'stages/*.html' 'pipeline/*.c' 'jobs/*.sh'); do
    b=$(basename "$f") name=$b
    case $f in common/*) name="(${b%.*}|$b)" ;; esac
    grep -qE "\`([a-z_]+/)*$name\`" docs/architecture.md || note "$f: docs/architecture.md does not name it"
done

# ---- one version: the Makefile has it, nothing else may ----
version=$(sed -n 's/^VERSION := //p' Makefile)
for f in $(git grep -lF "$version" -- '*.c' '*.h' '*.cc' '*.sh' '*.mk' site.mk README.md CITATION.cff docs jobs |
    xargs -r grep -lE "(^|[^0-9.])${version//./\\.}([^0-9.]|\$)"); do
    # "encoding-version" of AnnData is a number of its own
    grep -nF "$version" "$f" | grep -qvE 'encoding|anndata|array|dict|dataframe|categorical' &&
        note "$f: holds the version; the Makefile defines it (MICON_VERSION)"
done

# ---- layers: who may include whom ----
# A room is a folder of common/ with its headers in include/micon/ROOM/. This table says which other rooms each may include; what is not
# named is refused, upward and sideways alike. Stages and the driver may include any room below them (last lines).
declare -A allowed=(
    [base]="" [config]="base" [formats]="base" [compound]="base" [mpi]="base"
    [acquisition]="base formats"
    [table]="base formats" [tiling]="base formats" [provenance]="base config formats"
    [index]="base config formats table remote" [cells]="base" [remote]="base config formats"
    [nn]="base config formats" [profile]="base nn"
    [store]="base table mpi"
    [stage]="base config formats table index cells compound tiling provenance nn profile mpi store remote"
    [stages]="base config formats table index compound tiling provenance nn profile mpi store stage cells remote"
    [pipeline]="base config formats acquisition table index compound tiling provenance nn remote"
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
    grep -nE '^#include "(micon/[^/"]*"|.*/.*_impl\.h"|\.\./)' "$f" |
        sed "s|^|lint: $f: an include that crosses rooms without naming one: |" | grep . && bad=1
done
# A public header is one that another room, a test or another public header includes; the rest are NAME_impl.h beside their source.
for h in $(git ls-files 'include/micon/*/*.h'); do
    room=$(room_of "$h")
    git grep -lF "\"${h#include/}\"" -- '*.c' '*.cc' '*.h' | grep -v "^common/$room/" | grep -q . ||
        note "$h: nobody outside common/$room includes it: make it common/$room/$(basename "$h" .h)_impl.h"
done
for f in $(git ls-files | grep -E '^(common|include|stages|pipeline)/.*\.(c|cc|h)$'); do
    case $f in common/store/*) ;; *) grep -qE '^#include [<"]hdf5' "$f" && note "$f: only common/store knows HDF5" ;; esac
    case $f in
    common/nn/onednn*) ;;
    *) grep -qE '#include [<"](oneapi/)?dnnl' "$f" && note "$f: only common/nn/onednn*.c know oneDNN" ;;
    esac
    case $f in
    common/mpi/* | common/store/* | common/stage/* | include/micon/mpi/* | include/micon/store/* | include/micon/stage/* | stages/*) ;;
    *) grep -qE '^#include [<"]mpi\.h' "$f" && note "$f: MPI below common/mpi" ;; esac
done
for f in $(git ls-files 'stages/*'); do
    own=$(echo "$f" | cut -d/ -f2)
    grep -oE '#include "[^"]*stages/[a-z]+' "$f" | grep -v "stages/$own" | grep -q . && note "$f: includes another stage"
done
# ---- no cycles between the files of a folder ----
# File a uses file b where a.o has an undefined symbol that b.o of the same folder defines (nm): calls, data, and addresses taken for
# callbacks. tsort names the loops. Static functions are not seen, includes need not be: a header without symbols cannot make a loop.
# Folders that still have loops, each with its reason; an entry that is not needed any more is an error too.
declare -A loops_known=(
)
loops_of() { # FOLDER
    local objects=()
    for f in $(git ls-files "$1/*.c" "$1/*.cc" | grep -v "^$1/.*/"); do [ -e "build/release/$f.o" ] && objects+=("build/release/$f.o"); done
    [ ${#objects[@]} -gt 1 ] || return 0
    nm -A -P "${objects[@]}" | awk '
        {sub(/:$/, "", $1); sub(/.*\//, "", $1); sub(/\.o$/, "", $1)}
        $3 == "U" {use[$1 " " $2]; next}
        $3 ~ /^[A-Zi]$/ {def[$2] = $1}
        END {for (u in use) {split(u, a, " "); if (a[2] in def && def[a[2]] != a[1]) edge[a[1] " " def[a[2]]]; }
             for (e in edge) print e}' |
        sort | tsort 2>&1 >/dev/null | awk '/loop/ {if (l) print l; l = ""; next} {l = l " " $2} END {if (l) print l}'
}
if [ -d build/release/common ]; then
    for folder in $(git ls-files 'common/*.c' 'common/*.cc' 'stages/*.c' 'pipeline/*.c' | xargs -n1 dirname | sort -u); do
        loops=$(loops_of "$folder")
        if [ -n "${loops_known[$folder]+x}" ]; then
            [ -n "$loops" ] || note "$folder has no cycles any more: remove it from loops_known in tests/lint.sh"
        elif [ -n "$loops" ]; then
            while read -r l; do note "$folder: these files use each other in a circle: $l"; done <<<"$loops"
        fi
    done
else
    echo "lint: build/release is not built: cycles and programs not looked at"
fi
# ---- collective functions must not leave early between collectives ----
for f in $(git ls-files 'common/mpi/*.c' 'common/store/*.c' 'common/stage/*.c' 'stages/*.c'); do
    awk -v f="$f" '/^[a-z].*_all\(.*\)$/ || /^(static )?status [a-z_]*_all\(/ {inside=1; n=0; name=$0} inside && /^}/ {inside=0}
        inside && /TRY_ALL|TRY\(/ {n++} inside && /^    +.*return / && n>0 && !/return st;/ && !/lint: ok/ {
            print f ": " FNR ": a return between collectives in " name}' "$f"
done | while read -r l; do echo "lint: $l"; done | grep . && bad=1
grep -nE '\b(atoi|atof|strcpy|sprintf|gets|rand)\(' $(git ls-files 'common/*.c' 'stages/*.c' 'pipeline/*.c') /dev/null |
    sed 's/^/lint: not used here: /' | grep . && bad=1

# ---- programs: Open Babel (GPL) and oneDNN (Apache) never in one; the driver without MPI ----
for p in build/release/bin/*; do
    [ -x "$p" ] || continue
    libs=$(ldd "$p")
    echo "$libs" | grep -q libopenbabel && echo "$libs" | grep -q libdnnl && note "$p: links both Open Babel and oneDNN"
    [ "$(basename "$p")" = micon ] && echo "$libs" | grep -qE 'libmpi|libhdf5' && note "$p: the driver links MPI or HDF5"
done

# ---- static analysis ----
if have cppcheck; then
    cppcheck -j 2 -q --std=c11 --enable=warning,portability --inline-suppr --suppress=missingInclude --suppress=unmatchedSuppression \
        --suppress=invalidPointerCast --suppress=varFuncNullUB --suppress=uninitvar:common/nn/onednn.c \
        --suppress=invalidFunctionArg:common/nn/heads.c --suppress=ctunullpointer:common/base/text.c \
        --suppress=ctuuninitvar:common/formats/lzw.c \
        --error-exitcode=1 -Iinclude $(git ls-files 'common/*.c' 'stages/*.c' 'pipeline/*.c') || bad=1
fi
if have shellcheck; then
    shellcheck -S warning -e SC2034,SC1090,SC1091,SC2154,SC2046,SC2089,SC2090 $(git ls-files '*.sh') .ci/run || bad=1
fi
[ $bad = 0 ] && echo "lint: clean"
exit $bad
