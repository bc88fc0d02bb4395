#!/usr/bin/env bash
# deps.sh PACKAGE... -- install the Debian packages that are missing, or say exactly what is.
set -u
missing=()
if command -v dpkg-query >/dev/null; then
    for p; do
        [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null | cut -c1-2)" = ii ] || missing+=("$p")
    done
    [ ${#missing[@]} -eq 0 ] && exit 0
else
    # Not Debian: the compiler and pkg-config decide, with what site.mk names.
    exit 0
fi
sudo=()
if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null; then sudo=(sudo -n); else sudo=(false); fi
fi
say_how() {
    cat >&2 <<EOF
micon: these Debian packages are missing: ${missing[*]}
  install them:      apt-get install ${missing[*]}
  or, on a cluster:  module load ..., then put PKGS, OPENBABEL, DNNL_CFLAGS, DNNL_LIBS, EXTRA_CFLAGS, EXTRA_LIBS and MODULES
                     into site.local.mk (site.mk says what each is) and call make with DEPS=no
EOF
    exit 1
}
[ "${sudo[*]-}" = false ] && say_how
command -v apt-get >/dev/null || say_how
echo "micon: installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
install() { "${sudo[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" >"$log" 2>&1; }
install || { "${sudo[@]}" apt-get update -q >>"$log" 2>&1; install; } || { tail -n 5 "$log" >&2; rm -f "$log"; say_how; }
rm -f "$log"
