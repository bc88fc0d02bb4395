#!/usr/bin/env bash
# featurize.sh -- the compound table.
#   by hand, from the MICON folder:  sbatch --ntasks=4 --mem=8G --time=120 jobs/featurize.sh /path/to/screen.yaml
#SBATCH --job-name=micon-featurize
#SBATCH --open-mode=append
. jobs/env.sh || exit 1
steps micon-featurize "$@"
