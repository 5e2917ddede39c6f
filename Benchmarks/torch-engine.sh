#!/bin/sh
# Times alsweep's engine `torch` beside a plain and a well-tuned PyTorch on the same device in turns, and
# prints the ratios. On a machine without a GPU it does so on PyTorch's CPU device.
# Usage: Benchmarks/torch-engine.sh [--help] [options of torch_engine.py]
# The plug-in is $ALSWEEP_TORCH_ENGINE, or it is built against the PyTorch that is compared with; $ALSWEEP
# is the program, or this repository's release build.
set -eu
cd "$(dirname "$0")/.."
. Benchmarks/pytorch-environment.sh
if [ -z "${ALSWEEP_TORCH_ENGINE:-}" ]; then
    ALSWEEP_TORCH_ENGINE=$environment/alsweep-torch.so
    export ALSWEEP_TORCH_ENGINE
    case " $* " in
    *" --help "* | *" -h "*) ;;
    *) cluster/build-torch-engine.sh --python "$python" --output "$ALSWEEP_TORCH_ENGINE" ;;
    esac
fi
exec "$python" Benchmarks/torch_engine.py "$@"
