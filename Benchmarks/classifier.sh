#!/bin/sh
# Where a training step and a scoring pass spend their time, for both engines, one thread, beside
# the core's arithmetic peak. Usage: Benchmarks/classifier.sh [widths, as 8,16,64]
set -eu
cd "$(dirname "$0")/.."
swift build -c release --product alsweep
for width in $(echo "${1:-8,16,64}" | tr , ' '); do
    for engine in onednn openblas; do
        for work in train score; do
            .build/release/alsweep bench "$work" --engine "$engine" --width "$width" --layers
        done
    done
done
