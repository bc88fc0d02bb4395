#!/usr/bin/env bash
# matrix.sh [NAME...] -- builds the programs against what is installed here, each way in a copy of the tree, and runs a small screen
# through all stages with each, and the tests of the network's kernels. Ways that cannot be built here are named with the reason. The last
# lines are a table for docs/cluster.md. ONEDNN=FOLDER (with include/ and lib/) adds an oneDNN that is not a Debian package.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/mpi.env
unset CC CXX CI MICON_BIN MICON_HOME MPIRUN
base=$(mktemp -d "${TMPDIR:-/tmp}/micon-matrix.XXXXXX")
trap 'rm -rf "$base"' EXIT
others="openblas libtiff-4 libpng libjpeg libopenjp2 yaml-0.1 libxml-2.0 zlib libzstd liblz4 snappy libxxhash jansson libcurl"
bad=0 rows=()

version() { pkg-config --modversion "$1"; }
# way NAME NEEDS WHAT MPIRUN MAKE-ARGUMENT... : NEEDS are programs, or pkg:NAME, or a file
way() {
    local name=$1 needs=$2 what=$3 mpirun=$4 n missing='' dir=$base/$1 t0=$SECONDS result
    shift 4
    [ ${#chosen[@]} = 0 ] || [[ " ${chosen[*]} " == *" $name "* ]] || return 0
    for n in $needs; do
        case $n in
        pkg:*) pkg-config --exists "${n#pkg:}" || missing="$missing ${n#pkg:}" ;;
        /*) [ -e "$n" ] || missing="$missing $n" ;;
        *) command -v "$n" >/dev/null || missing="$missing $n" ;;
        esac
    done
    if [ -n "$missing" ]; then rows+=("| $name | $what | not run: no$missing |"); return; fi
    mkdir -p "$dir/copy"
    git ls-files -co --exclude-standard | tar -cf - -T - | tar -C "$dir/copy" -xf -
    if ! make -C "$dir/copy" -s -j2 DEPS=no "$@" programs build/release/tests/unit/t_nn_conv_autotune >"$dir/log" 2>&1; then
        grep -E 'error|undefined|Error' "$dir/log" | head -n 5
        result="does not build"
    elif ! grep -qE 'warning:' "$dir/log"; then
        result="built without warnings"
    else
        result="built, $(grep -c 'warning:' "$dir/log") warnings"
    fi
    if [ "$result" != "does not build" ]; then
        (cd "$dir/copy" && PATH=$PWD/build/release/bin:$PATH MPIRUN=$mpirun bash jobs/install/try.sh) >"$dir/try" 2>&1 &&
            result="$result; a small screen ran" || { result="$result; the small screen FAILED"; tail -n 5 "$dir/try"; }
        mkdir "$dir/T"
        (cd "$dir/copy" && T=$dir/T build/release/tests/unit/t_nn_conv_autotune) >"$dir/kernels" 2>&1 &&
            result="$result; $(sed -n 's/^# \([0-9]* passed\).*/\1/p' "$dir/kernels") of kernels" || result="$result; kernels FAILED"
        what="$what ($("$dir/copy/build/release/bin/micon-train" --version --verbose | sed -n 's/^compiler: //p; s/^MPI: \([^,]*\).*/\1/p' |
            xargs | sed 's/ \(Open MPI\|MPICH\)/, \1/'))"
    fi
    case $result in *"not build"* | *FAILED*) bad=1 ;; esac
    rows+=("| $name | $what | $result |")
    echo "$name: $result ($((SECONDS - t0)) s)"
    rm -rf "$dir"
}

chosen=("$@")
open="PKGS=hdf5-openmpi ompi-c $others"
way gcc "gcc pkg:hdf5-openmpi" "Debian's gcc, Open MPI, HDF5 $(version hdf5-openmpi), oneDNN of Debian" mpirun "$open"
for v in 13 14; do way gcc-$v gcc-$v "gcc $v" mpirun "$open" CC=gcc-$v CXX=g++-$v; done
clang=$(clang -dumpversion 2>/dev/null)
way clang "clang /usr/lib/llvm-${clang%%.*}/lib/libomp.so" "clang (C++: gcc)" mpirun "$open" CC=clang CXX=g++
way mpich "mpirun.mpich pkg:mpich pkg:hdf5-mpich" "MPICH, HDF5 of Debian" mpirun.mpich "PKGS=hdf5-mpich mpich $others"
way onednn "${ONEDNN:-/no-ONEDNN}" "oneDNN in ONEDNN" mpirun "$open" "DNNL_CFLAGS=-isystem ${ONEDNN:-}/include" \
    "DNNL_LIBS=-L${ONEDNN:-}/lib -Wl,-rpath,${ONEDNN:-}/lib -ldnnl"
printf '%s\n' '| way | what | result |' '|---|---|---|' "${rows[@]}"
exit $bad
