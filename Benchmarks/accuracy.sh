#!/bin/sh
# Trains the first cycle at several seeds in alsweep and in a plain PyTorch program, and compares accuracies.
# Usage: Benchmarks/accuracy.sh [--help] [options of compare_accuracy.py]
set -eu
cd "$(dirname "$0")/.."
. Benchmarks/pytorch-environment.sh
exec "$python" Benchmarks/compare_accuracy.py "$@"
