#!/bin/sh
# How long a run of 10,000 trials of 10 cycles takes to collect, from its journal to tables with all
# statistics, beside pandas, which reads the same results from CSV and does the group-by alone.
# Usage: Benchmarks/collect.sh [trials] [repetitions]; needs python3 with venv, and the network for pip.
set -eu
cd "$(dirname "$0")/.."
trials=${1:-10000}
repetitions=${2:-5}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
swift build -c release --product alsweep >&2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/python"
"$folder/python/bin/pip" install --quiet pandas >&2
.build/release/alsweep bench collect --trials "$trials" --repetitions "$repetitions" \
    --keep "$folder/run" --json >"$folder/alsweep.json"
"$folder/python/bin/python" Benchmarks/collect.py "$folder/run/results.csv" "$repetitions" \
    "$folder/alsweep.json"
