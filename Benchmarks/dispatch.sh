#!/bin/sh
# Trials without work a second: alsweep's coordinator with its journal on disk, and Ray, Dask distributed
# and ipyparallel with tasks that do nothing, one after another on the same two processes' worth of workers.
# Usage: Benchmarks/dispatch.sh [trials]; needs python3 with venv, and the network for pip.
set -eu
cd "$(dirname "$0")/.."
trials=${1:-10000}
swift build -c release --product alsweep >&2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/python"
"$folder/python/bin/pip" install --quiet ray distributed ipyparallel >&2
.build/release/alsweep bench dispatch --trials "$trials" --workers 2 --json >"$folder/alsweep.json"
PATH="$folder/python/bin:$PATH" "$folder/python/bin/python" Benchmarks/dispatch.py "$trials" \
    "$folder/alsweep.json"
