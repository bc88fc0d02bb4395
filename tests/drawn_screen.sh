# shellcheck shell=bash
# drawn_screen.sh -- sourced by tests/demo.sh and tests/reproduce/run.sh.

# drawn_screen FOLDER NAME OPTION... : draws a screen with micon-simulate. Its screen.yaml is the section `screen` that micon-simulate
# writes, with this name, and the sections on stdin.
drawn_screen() {
    local folder=$1 name=$2
    shift 2
    micon-simulate --out "$folder" --quiet "$@" </dev/null
    { sed "/^tile:/,\$d; s/^  name: .*/  name: $name/" "$folder/screen.yaml"; cat; } >"$folder/screen.new"
    mv "$folder/screen.new" "$folder/screen.yaml"
}
