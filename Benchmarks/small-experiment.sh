#!/bin/sh
# Times a whole small experiment in alsweep and in a plain PyTorch program, and prints the ratios.
# Usage: Benchmarks/small-experiment.sh [--help] [options of compare_experiment.py]
set -eu
cd "$(dirname "$0")/.."
. Benchmarks/pytorch-environment.sh
exec "$python" Benchmarks/compare_experiment.py "$@"
