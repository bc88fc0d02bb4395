#!/usr/bin/env bash
# completion.sh bash|zsh BIN -- the completion of a shell for the programs in the folder BIN, from the words that they print of themselves
# (--help-words): commands, options, the choices of an option, stages, keys of the configuration and their choices.
set -eu
shell=$1 bin=$2
words() { for p in "$bin"/micon "$bin"/micon-*; do "$p" --help-words; done; }
programs=$(for p in "$bin"/micon-*; do echo "${p##*/}"; done | xargs)

if [ "$shell" = bash ]; then
    cat <<'X'
# bash completion for micon and its stages
_micon_words() { # WHAT : "options PROGRAM", "choices PROGRAM OPTION", "commands", "stages", "keys", "choices key KEY"
    case $1 in
X
    words | awk -F '\t' '
        function add(k, v) { if (!(k in of)) order[++n] = k; of[k] = of[k] " " v }
        $3 == "command" { add("commands", $2); next }
        $3 == "stage" { add("stages", $2); next }
        { add($1 == "key" ? "keys" : "options " $1, $2); if ($3 != "flag") takes[$1 " " $2] = 1 }
        $4 != "" { v = $4; gsub(/\|/, " ", v); add("choices " $1 " " $2, v) }
        $1 != "key" && $2 == "--stage" { copy["choices " $1 " " $2] = 1 }
        $3 != "flag" && $1 != "key" { add("valued " $1, $2) }
        END {
            for (k in copy) add(k, substr(of["stages"], 2))
            for (i = 1; i <= n; i++) printf "    \"%s\") echo \"%s\" ;;\n", order[i], substr(of[order[i]], 2)
        }'
    cat <<'X'
    esac
}
_micon() {
    local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} program=${1##*/} i
    COMPREPLY=()
    if [ "$program" = micon ]; then
        if [ "$COMP_CWORD" = 1 ]; then
            COMPREPLY=($(compgen -W "$(_micon_words commands) --help --version" -- "$cur"))
            return
        fi
        program="micon ${COMP_WORDS[1]}"
    fi
    # --set section.key=value: bash makes words of its own of "section.key", "=" and "value"
    i=$COMP_CWORD
    [ "$cur" = = ] && cur='' i=$((i + 1))
    if [ "$i" -ge 3 ] && [ "${COMP_WORDS[i - 1]}" = = ] && [ "${COMP_WORDS[i - 3]}" = --set ]; then
        COMPREPLY=($(compgen -W "$(_micon_words "choices key ${COMP_WORDS[i - 2]}")" -- "$cur"))
        return
    fi
    if [ "$before" = --set ]; then
        COMPREPLY=($(compgen -S = -W "$(_micon_words keys)" -- "$cur"))
        compopt -o nospace 2>/dev/null
        return
    fi
    case $cur in
    -*) COMPREPLY=($(compgen -W "$(_micon_words "options $program")" -- "$cur")); return ;;
    esac
    case " $(_micon_words "valued $program") " in
    *" $before "*)
        i=$(_micon_words "choices $program $before")
        [ -z "$i" ] || { COMPREPLY=($(compgen -W "$i" -- "$cur")); return; } ;;
    esac
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$cur"))
}
X
    echo "complete -F _micon micon $programs"
else
    cat <<X
#compdef micon $programs
# zsh completion for micon and its stages
X
    cat <<'X'
_micon_keys() {
    local -a keys
    if [[ $PREFIX == *=* ]]; then
        local key=${PREFIX%%=*}
        compset -P '*='
        case $key in
X
    words | awk -F '\t' '$1 == "key" && $4 != "" { gsub(/\|/, " ", $4); printf "        %s) compadd -- %s ;;\n", $2, $4 }'
    echo "        esac"
    echo "        return"
    echo "    fi"
    words | awk -F '\t' '$1 == "key" { printf "    keys+=(%s)\n", $2 }'
    cat <<'X'
    compadd -S = -- $keys
}
_micon_options() { # PROGRAM
    case $1 in
X
    words | awk -F '\t' '
        function quoted(s) { gsub(/\047/, "\047\\\047\047", s); gsub(/:/, "\\:", s); gsub(/\[/, "\\[", s); gsub(/\]/, "\\]", s); return s }
        $3 == "stage" { stages = stages " " $2 }
        $3 == "command" || $3 == "stage" || $1 == "key" { next }
        {
            if ($1 != last) printf "%s    \"%s\") _arguments -s", last == "" ? "" : " \047*:file:_files\047 ;;\n", $1
            last = $1
            v = $4; gsub(/\|/, " ", v)
            what = v != "" ? ":value:(" v ")" : ":value:_files"
            if ($2 == "--set") what = ":key:_micon_keys"
            if ($2 == "--stage") what = ":stage:(" substr(stages, 2) ")"
            if ($3 == "flag") what = ""
            printf " \\\n        \047%s%s[%s]%s\047", $3 == "list" ? "*" : "", $2, quoted($5), what
        }
        END { print " \047*:file:_files\047 ;;" }'
    cat <<'X'
    *) _files ;;
    esac
}
_micon() {
    if [[ $service != micon ]]; then _micon_options $service; return; fi
    if (( CURRENT == 2 )); then
        local -a commands
X
    words | awk -F '\t' '$3 == "command" {
        h = $5; gsub(/\047/, "\047\\\047\047", h); gsub(/:/, "\\:", h); printf "        commands+=(\047%s:%s\047)\n", $2, h }'
    cat <<'X'
        _describe command commands
        return
    fi
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    _micon_options "micon $command"
}
_micon "$@"
X
fi
