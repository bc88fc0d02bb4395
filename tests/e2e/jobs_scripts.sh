#!/usr/bin/env bash
# run: limit=60
# The job scripts: they parse, shellcheck has nothing to say, no account, partition or path stands in them.
. tests/tap.sh
for f in jobs/*.sh; do
    ok "$f parses" bash -n "$f"
    if command -v shellcheck >/dev/null; then
        ok "$f: shellcheck" shellcheck -S style -e SC1091,SC2154 "$f"
    else
        skip "$f: shellcheck" "shellcheck is not installed"
    fi
    not_ok "$f: nothing of a site" grep -nE '^#SBATCH.*--(account|partition|output|chdir|mail)' "$f"
    [ "$f" = jobs/env.sh ] || ok "$f says how to use it by hand" grep -q 'by hand, from the MICON folder:  sbatch ' "$f"
done
tap_done
