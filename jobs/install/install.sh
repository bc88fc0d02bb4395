#!/usr/bin/env bash
# install.sh install|uninstall BUILD VERSION -- what `make install` and `make uninstall` call: puts the programs, job scripts, pages and
# completions of BUILD (build/release) below $DESTDIR$PREFIX, or removes exactly these files. Nothing in them names PREFIX: the installed
# folder may be moved.
set -eu
verb=$1 build=$2 version=$3
to=${DESTDIR-}${PREFIX:?}
share=share/micon

# "MODE SOURCE TARGET" of every file, TARGET below PREFIX.
files() {
    local f
    for f in "$build"/bin/*; do echo "755 $f bin/${f##*/}"; done
    for f in jobs/*.sh jobs/install/try.sh; do echo "755 $f $share/$f"; done
    echo "644 $build/install/site.env $share/site.env"
    for f in "$build"/install/man/*; do echo "644 $f share/man/man${f##*.}/${f##*/}"; done
    echo "644 $build/install/micon.bash share/bash-completion/completions/micon"
    for f in "$build"/bin/micon-*; do echo "link micon share/bash-completion/completions/${f##*/}"; done
    echo "644 $build/install/_micon share/zsh/site-functions/_micon"
    echo "644 $build/install/modulefile.lua $share/modulefiles/lmod/micon/$version.lua"
    echo "644 $build/install/modulefile.tcl $share/modulefiles/tcl/micon/$version"
    for f in README.md NEWS.md LICENSE CITATION.cff; do echo "644 $f share/doc/micon/$f"; done
    for f in docs/*; do [ ! -f "$f" ] || echo "644 $f share/doc/micon/docs/${f##*/}"; done
}

case $verb in
install)
    files | while read -r mode source target; do
        mkdir -p "$to/${target%/*}"
        if [ "$mode" = link ]; then ln -sf "$source" "$to/$target"; else install -m "$mode" "$source" "$to/$target"; fi
    done
    echo "installed below $to" ;;
uninstall)
    files | while read -r _ _ target; do
        rm -f "$to/$target"
        dir=${target%/*}
        while [ "$dir" != . ] && rmdir "$to/$dir" 2>/dev/null; do case $dir in */*) dir=${dir%/*} ;; *) dir=. ;; esac; done
    done
    echo "removed from $to" ;;
*) echo "usage: install.sh install|uninstall BUILD VERSION" >&2; exit 2 ;;
esac
