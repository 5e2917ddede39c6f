#!/bin/sh
# Times alsweep and PyTorch on the same training and scoring in turns, and prints the ratios.
# Usage: Benchmarks/classifier-vs-pytorch.sh [--help] [options of compare_classifier.py]
set -eu
cd "$(dirname "$0")/.."
. Benchmarks/pytorch-environment.sh
exec "$python" Benchmarks/compare_classifier.py "$@"
