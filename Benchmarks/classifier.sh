#!/bin/sh
# Where a training step and a scoring pass spend their time, one thread, batch 128, beside the
# core's arithmetic peak. Usage: Benchmarks/classifier.sh [widths, as 8,16,64]
set -eu
cd "$(dirname "$0")/.."
peak=$(mktemp)
trap 'rm -f "$peak"' EXIT
cc -O2 -mavx2 -mfma Benchmarks/peak.c -o "$peak"
"$peak"
ALSWEEP_PROFILE=${1:-8,16,64} OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
    swift test --filter ProfileTests | grep -E '^width|%'
"$peak"
