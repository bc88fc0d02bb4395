# shellcheck shell=bash
# drawn_screen.sh -- sourced by tests/demo.sh and by scripts of tests/reproduce.

# drawn_screen FOLDER NAME OPTION... : draws a screen with micon-simulate. Its screen.yaml is the section `screen` that micon-simulate
# writes, with this name, and the sections on stdin.
drawn_screen() {
    local folder=$1 name=$2
    shift 2
    micon-simulate --out "$folder" --quiet "$@" </dev/null
    { sed "/^tile:/,\$d; s/^  name: .*/  name: $name/" "$folder/screen.yaml"; cat; } >"$folder/screen.new"
    mv "$folder/screen.new" "$folder/screen.yaml"
}

# demo_screen FOLDER NAME OPTION... : the demo's screen and settings.
demo_screen() {
    drawn_screen "$@" --sources 3 --batches 3 --wells 96 --sites 2 --compounds 24 --size 96 <<'END'
tile:
  size: 64
split:
  test_batches: 1
  unseen_sources: [source_3]
train:
  steps: 200
  batch: 12
  aux: yes
  lr: 0.001
  temperature: 0.1
END
}
