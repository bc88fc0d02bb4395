#!/usr/bin/env bash
# fuzz.sh SECONDS TARGET... -- coverage-guided fuzzing with clang's libFuzzer; new inputs that reach new code stay in build/fuzz/.
# A finding is left as build/fuzz/TARGET/crash-*; minimize it into tests/corpus/ with its repair.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=$1
shift
command -v clang >/dev/null || { echo "fuzz: clang is not installed"; exit 1; }
flags=$(make -s DEPS=no print-config | sed -n 's/^PKGS = //p')
cflags="-Iinclude -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -DMICON_VERSION=\"fuzz\" -DMICON_BUILT_WITH=\"fuzz\"
    $(pkg-config --cflags $flags openbabel-3)"
bad=0
mkdir -p build/fuzz
lib=build/fuzz/obj
mkdir -p $lib
for f in common/{base,config,formats,remote,acquisition,table,index,tiling,provenance,compound}/*.c common/compound/*.cc; do
    [ -e "$f" ] || continue
    o=$lib/${f//\//_}.o
    [ "$o" -nt "$f" ] && continue
    no_vptr=
    # vptr: Open Babel comes without the type information it needs.
    case $f in *.cc) cc="clang++ -std=c++17" no_vptr=-fno-sanitize=vptr ;; *) cc="clang -std=c11" ;; esac
    $cc -g -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined $no_vptr $cflags -c "$f" -o "$o" || exit 1
done
for t; do
    src=tests/fuzz/$t.c dir=build/fuzz/$t corpus=tests/corpus/${t#fuzz_}
    mkdir -p "$dir/new"
    clang -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined $cflags "$src" $lib/*.o -o "$dir/run" \
        $(pkg-config --libs $flags openbabel-3) -lstdc++ -lpthread -lm || exit 1
    "$dir/run" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -artifact_prefix="$dir/" "$dir/new" "$corpus" >"$dir/log" 2>&1
    rc=$?
    echo "$t: exit $rc, $(grep -c . <(ls "$dir"/crash-* "$dir"/oom-* "$dir"/timeout-* 2>/dev/null)) findings; $(grep -E \
        'DONE|stat::number_of_executed_units' "$dir/log" | tail -n 1)"
    [ $rc = 0 ] || { bad=1; tail -n 30 "$dir/log"; }
done
exit $bad
