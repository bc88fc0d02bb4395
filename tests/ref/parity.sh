#!/usr/bin/env bash
# parity.sh [PYTHON] -- micon-evaluate against copairs, pycytominer, scib-metrics and harmonypy, as far as that Python has them: a table of
# deviations and their limits (docs/evaluation.md). Exit 1: something is beyond its limit. For a Python with all of them:
#     python3 -m venv V && V/bin/pip install copairs pycytominer scib-metrics harmonypy && bash tests/ref/parity.sh V/bin/python
# $SHARED_DATA/cpjump1_profiles is compared too where it is there; BIN: the programs, build/release/bin without it.
set -eu
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1
"${1:-python3}" tests/ref/parity.py "${BIN:-build/release/bin}" "$folder" "${SHARED_DATA:-../shared/data}/cpjump1_profiles"
