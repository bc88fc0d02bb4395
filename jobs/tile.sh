#!/usr/bin/env bash
# tile.sh -- tiles of one or several plates; in an array each task has its own plates.
#   by hand, from the MICON folder:  sbatch --ntasks=4 --mem=8G --time=120 jobs/tile.sh /path/to/screen.yaml --plate PLATE
#SBATCH --job-name=micon-tile
#SBATCH --open-mode=append
. jobs/env.sh || exit 1
steps micon-tile "$@"
