#!/usr/bin/env bash
# evaluate.sh -- profiles and the report.
#   by hand, from the MICON folder:  sbatch --ntasks=4 --mem=8G --time=120 jobs/evaluate.sh /path/to/screen.yaml
#SBATCH --job-name=micon-evaluate
#SBATCH --open-mode=append
. jobs/env.sh || exit 1
steps micon-evaluate "$@"
