# shellcheck shell=bash
# marks.sh -- sourced by benchmarks: figures, and whether they meet their marks. `bad` is 1 once one was missed.
bad=0
# mark NAME FIGURE LEAST; most NAME FIGURE MOST; elsewhere NAME FIGURE LEAST WHY: a mark of other machines, shown only.
mark() { _judge "$1" "$2" ">= $3" "$(awk -v a="$2" -v b="$3" 'BEGIN { print (a != "" && a + 0 >= b + 0) }')"; }
most() { _judge "$1" "$2" "<= $3" "$(awk -v a="$2" -v b="$3" 'BEGIN { print (a != "" && a + 0 <= b + 0) }')"; }
elsewhere() { printf '%s: %.3g (wanted >= %s, not on this CPU: %s)\n' "$1" "${2:-0}" "$3" "$4"; }
_judge() {
    printf '%s: %.3g (wanted %s)\n' "$1" "${2:-0}" "$3"
    [ "$4" = 1 ] || { echo "    missed"; bad=1; }
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { print (a != "" && b > 0 ? a / b : "") }'; }
# least FIGURE...: the smallest; empty ones are left out
least() { printf '%s\n' "$@" | grep . | sort -g | head -n 1; }
# field NAME: from "NAME VALUE NAME VALUE ..." on standard input
field() { sed -n "s/.*\\b$1 \\([0-9.e+-]*\\).*/\\1/p" | head -n 1; }
amx() { grep -q amx_bf16 /proc/cpuinfo; }
bf16() { grep -qE 'amx_bf16|avx512_bf16' /proc/cpuinfo; }
