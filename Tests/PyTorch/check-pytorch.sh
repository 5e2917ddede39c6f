#!/usr/bin/env bash
# Checks that alsweep and PyTorch read each other's model files and find the same logits on
# Fashion-MNIST's test images: a model trained by each is scored by both, with both engines.
# Usage: Tests/PyTorch/check-pytorch.sh [--width N] [--data FOLDER]
# $ALSWEEP names the program; otherwise it is this repository's release build.
set -euo pipefail
cd "$(dirname "$0")/../.."

width=8
data=/usr/share/datasets/fashion-mnist
while [ $# -gt 0 ]; do
    case $1 in
    --width) width=${2:?--width needs a number} ;;
    --data) data=${2:?--data needs a folder} ;;
    *)
        echo "usage: $0 [--width N] [--data FOLDER]" >&2
        exit 2
        ;;
    esac
    shift 2
done

alsweep=${ALSWEEP:-.build/release/alsweep}
if ! command -v "$alsweep" >/dev/null; then
    echo "error: there is no program $alsweep" >&2
    echo "hint: swift build -c release --product alsweep, or set ALSWEEP to the program" >&2
    exit 1
fi
. Benchmarks/pytorch-environment.sh
export PYTHONPATH=docs/examples PYTHONDONTWRITEBYTECODE=1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

check() {
    local title=$1
    shift
    if "$@" >"$scratch/output" 2>&1; then
        echo "ok      $title: $(tail -n 1 "$scratch/output")"
    else
        echo "FAILED  $title"
        sed 's/^/        /' "$scratch/output"
        failures=$((failures + 1))
    fi
}

# Logits and the count of correct images, as in 8123/10000, of a model in alsweep.
evaluate() {
    "$alsweep" evaluate "$1" --dataset fashionmnist --data "$data" --engine "$2" \
        --precision float32 --logits "$3" --output-mode quiet
}

same_count() {
    [ -n "$1" ] && [ "$1" = "$2" ] && echo "$1 correct" && return
    echo "$1 correct, where $2 were expected" && return 1
}

# The count of one model may differ between programs where two logits of an image are nearly equal.
near_count() {
    local difference=$((${1%/*} - ${2%/*}))
    [ "${difference#-}" -le 2 ] && echo "$1 and $2 correct" && return
    echo "$1 and $2 correct" && return 1
}

echo "A model trained by PyTorch, width $width"
theirs=$scratch/pytorch.safetensors
count=$("$python" Tests/PyTorch/write_model.py "$theirs" "$scratch/expected" \
    --data "$data" --width "$width")
for engine in onednn openblas; do
    found=$(evaluate "$theirs" "$engine" "$scratch/found") || found=
    check "$engine, logits" "$python" Tests/PyTorch/compare_logits.py "$scratch/expected" "$scratch/found"
    check "$engine, accuracy" near_count "${found:-0/0}" "${count% correct}"
    rm -f "$scratch/found"
done

echo "A model trained by alsweep, width $width"
"$alsweep" experiment --dataset fashionmnist --strategy random --seed 0 --width "$width" \
    --epochs 4 --cycles 1 --initial 2000 --pool-limit 2000 --batch-size 64 --learning-rate 0.05 \
    --data "$data" --precision float32 --output "$scratch/trained" --output-mode json \
    >"$scratch/results.json"
recorded=$("$python" -c 'import json, sys
last = json.load(open(sys.argv[1]))["cycles"][-1]
print("{correct}/{total}".format(**last))' "$scratch/results.json")
ours=$(find "$scratch/trained" -maxdepth 1 -name '*.safetensors' ! -name '*.checkpoint.safetensors')
for engine in onednn openblas; do
    found=$(evaluate "$ours" "$engine" "$scratch/found") || found=
    if [ "$engine" = onednn ]; then
        check "$engine, recorded accuracy" same_count "${found:-}" "$recorded"
    else
        check "$engine, recorded accuracy" near_count "${found:-0/0}" "$recorded"
    fi
    check "PyTorch's logits and $engine's" "$python" docs/examples/load_model.py "$ours" \
        --data "$data" --logits "$scratch/found"
    rm -f "$scratch/found"
done

# The same draws, in float64: a step on real images leads to the same loss.
echo "A trial replayed in PyTorch, width $width"
first_steps=(--seed 0 --width "$width" --initial 128 --epochs 2 --learning-rate 0.01)
"$python" Tests/PyTorch/replay_trial.py "${first_steps[@]}" --milestones 9 --data "$data" \
    >"$scratch/replayed.json"
for engine in onednn openblas; do
    "$alsweep" experiment --dataset fashionmnist --strategy random --cycles 1 --milestones 9 \
        "${first_steps[@]}" --test-limit 500 --engine "$engine" --precision float32 --data "$data" \
        --output-mode json >"$scratch/trial.json"
    check "$engine, loss after a step" "$python" -c 'import json, sys
ours = json.load(open(sys.argv[1]))["cycles"][0]
expected = json.load(open(sys.argv[2]))
losses = [side["train_loss"] for side in (ours, expected)]
print("{:.6f} and {:.6f}".format(*losses))
sys.exit(abs(losses[0] - losses[1]) > 1e-4)' "$scratch/trial.json" "$scratch/replayed.json"
done

# A check that cannot fail proves nothing: logits that differ by a thousandth must be told.
"$python" -c 'import sys
from safetensors.torch import load_file, save_file
logits = load_file(sys.argv[1])["logits"]
logits[1234] *= 1.001
save_file({"logits": logits}, sys.argv[2])' "$scratch/expected" "$scratch/wrong"
if "$python" Tests/PyTorch/compare_logits.py "$scratch/expected" "$scratch/wrong" >/dev/null 2>&1; then
    echo "FAILED  logits that differ by a thousandth were taken as equal"
    failures=$((failures + 1))
else
    echo "ok      logits that differ by a thousandth are found"
fi

if [ "$failures" -gt 0 ]; then
    echo "$failures of the checks failed" >&2
    exit 1
fi
