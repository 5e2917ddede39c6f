#!/bin/sh
# How long k_center and badge take to choose 1,000 of 50,000 scored samples, one thread.
# Usage: Benchmarks/selection.sh [numbers of labelled samples, as 1000,9000]
set -eu
cd "$(dirname "$0")/.."
ALSWEEP_PROFILE_SELECTION=${1:-1000,9000} OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
    swift test --filter SelectionProfileTests | grep ' in .* s, '
