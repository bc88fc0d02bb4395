#!/usr/bin/env bash
# run: limit=60
# make install into a folder that is moved afterwards: programs, job scripts, man pages, completion, module files; make uninstall.
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
unset MICON_BIN MICON_HOME SLURM_JOB_ID CC CXX CI
# With other flags than those of the build, make would build everything again.
case $(cat build/release/flags) in "ccache gcc "*) export CC="ccache gcc" CXX="ccache g++" ;; esac
grep -q -- -Werror build/release/flags && export CI=true
export FAKE=$T/fake
mkdir -p "$FAKE" "$T/dest"
exits "install" 0 make -s install PREFIX=/opt/micon DESTDIR="$T/dest" MODULES="openmpi hdf5"
n=$(find "$T/dest" -type f -o -type l | wc -l)
home="$T/moved to/here"
mkdir "$T/moved to"
mv "$T/dest/opt/micon" "$home"
PATH=$home/bin:$PATH

# ---- a small screen from it ----
cd "$T" || exit 1
exits "simulate" 0 micon-simulate --out s --sources 1 --wells 6 --sites 1 --size 32 --compounds 2 --quiet
exits "run" 0 micon run s/screen.yaml --stage tile --plate S1B01P001 -n 1
ok "its output is there" test -s s/work/tiles/source_1__Batch1__S1B01P001.h5
PATH=$ROOT/tests/fakebin:$PATH exits "submit" 0 micon submit s/screen.yaml --stage featurize
has "jobs start in the installed folder" <(tr '\0' '\n' <"$FAKE/sbatch.101") "--chdir=$home/share/micon"
has "with its scripts" <(tr '\0' '\n' <"$FAKE/sbatch.101") "$home/share/micon/jobs/stage.sh"
has "modules of the site are kept" "$home/share/micon/site.env" "MODULES='openmpi hdf5'"
exits "a job script, by itself" 0 env -C "$home/share/micon" bash jobs/stage.sh featurize --args "$T/s/work/status/slurm/featurize-1"
ok "ran the program beside it" test -s s/work/compounds.h5

# ---- what it says of itself ----
exits "--version --verbose" 0 micon --version --verbose
for line in "programs: $home/bin" "built with: .*hdf5-openmpi=" "MPI: Open MPI" "processor: ." "library: /.*libtiff.so"; do
    ok "says $line" grep -q "^$line" "$T/out"
done
same "each line once" "$(sort "$T/out" | uniq -d)" ""
printf '#!/bin/sh\necho "libhdf5.so.1: cannot open shared object file" >&2\nexit 127\n' >"$T/broken"
cp -r "$home" "$T/damaged"
install -m 755 "$T/broken" "$T/damaged/bin/micon-tile"
exits "a program that does not start" 1 "$T/damaged/bin/micon" --version --verbose
has "is named" "$T/err" "micon-tile does not start (exit 127): libhdf5.so.1: cannot open shared object file"

# ---- man pages ----
if command -v man >/dev/null && command -v groff >/dev/null; then
    for page in "$home"/share/man/man?/*; do
        same "${page##*/}: no warnings" "$(LC_ALL=C.UTF-8 MANWIDTH=100 man --warnings -l "$page" 2>&1 >"$T/page")" ""
        ok "${page##*/}: has a text" [ "$(wc -l <"$T/page")" -gt 15 ]
    done
    same "every option of a help is in its page" "$(for p in "$home"/bin/micon-*; do
        man -l "$home/share/man/man1/${p##*/}.1" 2>/dev/null | col -b >"$T/page"
        "$p" --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p' | while read -r o; do grep -qF -- " $o" "$T/page" || echo "$p $o"; done; done)" ""
else
    skip "man pages" "man or groff is not installed"
fi

# ---- completion ----
completes() { # WORDS... : what bash offers for the last of them
    env -i PATH="$PATH" bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _micon "$1" "${@: -1}" "${@: -2:1}"
        printf "%s\n" "${COMPREPLY[@]}"' "$home/share/bash-completion/completions/${1%% *}" "$@" 2>/dev/null | xargs
}
same "commands" "$(completes micon r)" "run rerun"
same "options of a command" "$(completes micon plan --ca)" "--calibrate"
same "options of a stage" "$(completes micon-tile --pre)" "--preview"
same "choices" "$(completes micon export --format "")" "csv parquet"
same "stages" "$(completes micon run --stage t)" "tile train"
same "keys" "$(completes micon run s.yaml --set train.enc)" "train.encoder="
same "choices of a key" "$(completes micon run s.yaml --set train.encoder = resnet1)" "resnet18 resnet101"
touch "$T/only-this.yaml"
same "files" "$(completes micon run "$T/only")" "$T/only-this.yaml"
if command -v zsh >/dev/null; then
    exits "zsh reads its completion" 0 zsh -n "$home/share/zsh/site-functions/_micon"
else
    skip "zsh reads its completion" "zsh is not installed"
fi

# ---- module files ----
if [ -r /usr/share/modules/init/bash ]; then
    mkdir -p "$T/other"
    for m in openmpi hdf5; do printf '#%%Module1.0\nsetenv LOADED_%s yes\n' $m >"$T/other/$m"; done
    tcl=$(env -i PATH=/usr/bin:/bin bash -c '. /usr/share/modules/init/bash; module use "$0" "$1/share/micon/modulefiles/tcl"
        module load micon; command -v micon-tile; echo $LOADED_hdf5; man -w micon' "$T/other" "$home" 2>/dev/null | tr '\n' ' ')
    same "Tcl module: PATH, what it needs, MANPATH" "$tcl" "$home/bin/micon-tile yes $home/share/man/man1/micon.1 "
else
    skip "Tcl module" "environment-modules is not installed"
fi
lmod=${LMOD_DIR:-/usr/share/lmod/lmod/libexec}
if [ -x "$lmod/lmod" ]; then
    mkdir -p "$T/lua"
    for m in openmpi hdf5; do echo "setenv('LOADED_$m', 'yes')" >"$T/lua/$m.lua"; done
    lua=$(env -i PATH=/usr/bin:/bin HOME="$T" MODULEPATH="$T/lua:$home/share/micon/modulefiles/lmod" bash -c '
        eval "$("$0/lmod" bash load micon)"
        command -v micon-tile; echo $LOADED_hdf5' "$lmod" 2>&1 | tr '\n' ' ')
    same "Lmod module: PATH, what it needs" "$lua" "$home/bin/micon-tile yes "
else
    skip "Lmod module" "lmod is not installed"
fi

# ---- uninstall ----
cd "$ROOT" || exit 1
mkdir -p "$T/dest/opt"
mv "$home" "$T/dest/opt/micon"
same "all files are there" "$(find "$T/dest" -type f -o -type l | wc -l)" "$n"
touch "$T/dest/opt/micon/bin/of_others"
exits "uninstall" 0 make -s uninstall PREFIX=/opt/micon DESTDIR="$T/dest"
same "only what is not ours is left" "$(cd "$T/dest" && find . -type f -o -type l)" "./opt/micon/bin/of_others"
tap_done
