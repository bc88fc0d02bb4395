#!/usr/bin/env bash
# run: long limit=120
# micon-evaluate on a full disk: exit 1, said plainly, nothing wrong under a final name, and with room the next run makes the right bytes;
# and the same for a shared store, which stays as it was, and for tables.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/profile_tables.sh"
cd "$T" || exit 1
E=$BIN/micon-evaluate A=$BIN/micon-store
for p in 1 2 3; do table $p B$p 1 12 > p$p.csv; done
table_screen a 'p[12].csv'
table_screen b p3.csv
sums() { (cd "$1" && find . -type f ! -path '*/status/*' ! -name '*.part.*' | LC_ALL=C sort | xargs -r sha256sum); }
exits "the screen" 0 "$E" a.yaml --quiet
exits "a shared store" 0 "$A" add a.yaml one.h5ad --quiet
exits "another run" 0 "$E" b.yaml --quiet --transform-with one.h5ad
exits "tables" 0 "$A" export a.yaml t --quiet
need=$(du -sk work_a | cut -f1)
cp -r work_a calm
mkdir disk
cp one.h5ad disk/all.h5ad
exits "added" 0 "$A" add b.yaml disk/all.h5ad --quiet
cp disk/all.h5ad both.h5ad
rm -r work_a/* disk/*
if ! unshare -m true 2>/dev/null || ! unshare -m mount -t tmpfs -o size=64k none disk 2>/dev/null; then
    skip "a full disk" "mounting a tmpfs is not allowed here"
    tap_done
fi
sums calm > calm.sums; sums t > t.sums
export -f sums
# on_disk FOLDER KIB SCRIPT : SCRIPT runs with FOLDER on a disk of that size; `room` gives it more
on_disk() { unshare -m bash -c 'room() { mount -o remount,size=64m "$0"; }; mount -t tmpfs -o size='"$2"'k none "$0" || exit 99; '"$3" \
    "$1" "$E" "$A"; }
for part in 8 60 97; do
    same "work has $part % of its $need KiB: exit 1, nothing wrong; with room all is right" "$(on_disk work_a $((need * part / 100)) '
        "$1" a.yaml --quiet >out 2>err; echo -n "$? $(grep -c "error:" err) "
        sums work_a | grep -vxF -f calm.sums; find work_a -name "*.part.*"
        room; "$1" a.yaml --quiet 2>err2; echo -n "$? "; cmp calm.sums <(sums work_a) && echo right')" "1 1 0 right"
    ok "said plainly" grep -qE 'error: .*work_a.*(No space left|has only|cannot reserve|is the disk full)' err
done
one=$(($(stat -c %s one.h5ad) / 1024 + 1))
for part in 5 60; do
    same "a shared store that cannot grow ($part %)" "$(on_disk disk $((one * (100 + part) / 100)) '
        cp one.h5ad disk/all.h5ad; "$2" add b.yaml disk/all.h5ad --quiet >out 2>err; echo -n "$? "
        cmp one.h5ad disk/all.h5ad && echo -n "$(ls disk) "
        room; "$2" add b.yaml disk/all.h5ad --quiet 2>err2; echo -n "$? "; cmp both.h5ad disk/all.h5ad && echo right')" "1 all.h5ad 0 right"
    has "said plainly" err "disk/all.h5ad"
done
cp -r calm/. work_a/
same "tables" "$(on_disk disk 8 '
    "$2" export a.yaml disk --quiet >out 2>err; echo -n "$? "; sums disk | grep -vxF -f t.sums; find disk -name "*.part.*"
    room; "$2" export a.yaml disk --quiet 2>err2; echo -n "$? "; cmp t.sums <(sums disk) && echo right')" "1 0 right"
ok "said plainly" grep -q 'error: disk/r.*cannot be written: No space left' err
tap_done
