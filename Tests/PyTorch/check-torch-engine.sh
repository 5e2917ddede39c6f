#!/usr/bin/env bash
# Proves the engine `torch` without a GPU: makes a virtual environment with PyTorch, builds the plug-in
# against it, and runs all tests of the network on PyTorch's CPU device: the oracle vectors, agreement with
# OpenBLAS, flips and crops, whole experiments, equal bits of repeated runs.
#
#   Tests/PyTorch/check-torch-engine.sh [--python PYTHON] [--device cpu|cuda]
#
# PYTHON has PyTorch already; without it an environment is made, see Benchmarks/pytorch-environment.sh. With
# --device cuda the same tests run on the first GPU. The tests are built where `swift test` builds them.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=
device=cpu
while [ $# -gt 0 ]; do
    case $1 in
    --python) python=${2:?--python needs a program} ;;
    --device) device=${2:?--device needs cpu or cuda} ;;
    *)
        echo "usage: $0 [--python PYTHON] [--device cpu|cuda]" >&2
        exit 2
        ;;
    esac
    shift 2
done
if [ -z "$python" ]; then . Benchmarks/pytorch-environment.sh; fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
plug_in=$scratch/alsweep-torch.so
options=()
if [ "$device" = cpu ]; then options+=(--cpu-only); fi
cluster/build-torch-engine.sh --python "$python" --output "$plug_in" "${options[@]}"

# A plug-in that is named must load: these tests fail where it does not.
export ALSWEEP_TORCH_ENGINE=$plug_in ALSWEEP_TORCH_DEVICE=$device
tests='ClassifierTests.(EngineTests|OracleTests|AgreementTests|Torch.*)|TorchExperimentTests|TorchTests'
swift test --filter "$tests" | tee "$scratch/log"

# A check that ran nothing proves nothing.
if grep -q 'engine torch is not tested' "$scratch/log" ||
    ! grep -q '✔ Suite "Engine torch holds images, and trains and scores on them" passed' "$scratch/log"; then
    echo "error: the tests of engine torch did not run" >&2
    exit 1
fi
echo "engine torch computes what it should on $device, with PyTorch" \
    "$("$python" -c 'import torch; print(torch.__version__)')"
