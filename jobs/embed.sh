#!/usr/bin/env bash
# embed.sh -- embeddings of one or several plates; in an array each task has its own plates.
#   by hand, from the MICON folder:  sbatch --ntasks=4 --mem=8G --time=120 jobs/embed.sh /path/to/screen.yaml --plate PLATE
#SBATCH --job-name=micon-embed
#SBATCH --open-mode=append
. jobs/env.sh || exit 1
steps micon-embed "$@"
