#!/usr/bin/env bash
# Builds the plug-in with which alsweep computes through PyTorch's C++ library (engine `torch`), against
# the PyTorch that a Python finds. Python is not needed to use it, that PyTorch's folder is.
#
#   cluster/build-torch-engine.sh [--python PYTHON] [--output FILE] [--cpu-only]
#
# PYTHON: python3 unless given, as in ~/venv/bin/python. FILE: alsweep-torch.so beside the release build
# of alsweep, or beside the program of an unpacked archive. --cpu-only leaves the GPU's part out; it is
# left out by itself for a PyTorch without CUDA. $CXX is the compiler, g++ unless given; $CUDA_HOME a CUDA
# toolkit to take headers from instead of those beside PyTorch.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
source=$root/Sources/CTorchEngine
python=python3
output=
cpu_only=

say() { printf 'build-torch-engine: %s\n' "$*" >&2; }
fail() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
    --python) python=${2:?--python needs a program}; shift 2 ;;
    --output) output=${2:?--output needs a file}; shift 2 ;;
    --cpu-only) cpu_only=1; shift ;;
    *)
        echo "usage: $0 [--python PYTHON] [--output FILE] [--cpu-only]" >&2
        exit 2
        ;;
    esac
done

command -v "$python" >/dev/null ||
    fail "there is no program $python" "name one that has PyTorch: --python ~/venv/bin/python"
compiler=${CXX:-g++}
command -v "$compiler" >/dev/null ||
    fail "there is no C++ compiler $compiler" \
        "on Debian and Ubuntu: apt-get install g++; or name one in CXX"

# Importing PyTorch may print warnings of its own: what is asked for comes in lines with a mark.
facts=$("$python" - <<'PYTHON' 2>&1
import importlib.util
import sys

if importlib.util.find_spec("torch") is None:
    sys.exit("no torch")
import torch

major, minor = (int(word) for word in torch.__version__.split(".")[:2])
for name, value in {
    "version": torch.__version__, "number": 100 * major + minor,
    "folder": torch.__path__[0], "cuda": torch.version.cuda or "",
    "abi": int(torch._C._GLIBCXX_USE_CXX11_ABI),
}.items():
    print(f"torch:{name}={value}")
PYTHON
) || case $facts in
    *"no torch"*)
        fail "$python has no PyTorch" \
            "$python -m pip install torch, or name another Python: --python ~/venv/bin/python" ;;
    *) fail "$python cannot import torch: $(tail -n 1 <<<"$facts")" "mend that PyTorch first" ;;
esac
fact() { sed -n "s/^torch:$1=//p" <<<"$facts"; }
version=$(fact version)
number=$(fact number)
folder=$(fact folder)
[ "$number" -ge 201 ] ||
    fail "$python has PyTorch $version, which is too old" \
        "2.1 or later is needed: $python -m pip install --upgrade torch"
[ -f "$folder/include/ATen/ATen.h" ] ||
    fail "PyTorch $version in $folder has no C++ headers" \
        "install it from a wheel: $python -m pip install torch"

if [ -z "$output" ]; then
    for place in "$root/.build/release" "$root/bin"; do
        if [ -x "$place/alsweep" ]; then output=$place/alsweep-torch.so; fi
    done
    [ -n "$output" ] ||
        fail "there is no alsweep in $root/.build/release or $root/bin to put the plug-in beside" \
            "swift build -c release --product alsweep, or name a file: --output FILE"
fi

# PyTorch's headers ask for C++20 from some version on; older ones were made for C++17.
standard=c++17
if [ "$number" -ge 209 ]; then standard=c++20; fi
flags=(
    -std=$standard -O2 -fPIC -shared -fvisibility=hidden -Wall -Wextra
    "-D_GLIBCXX_USE_CXX11_ABI=$(fact abi)" "-DALSWEEP_TORCH_BUILD=$number"
    "-DALSWEEP_TORCH_BUILT_WITH=\"${version%%+*}\""
    "-I$source/include" -isystem "$folder/include"
)
# The folder is written into the plug-in, so that it is found without settings.
libraries=("-L$folder/lib" "-Wl,-rpath,$folder/lib" -Wl,--no-as-needed -ltorch -ltorch_cpu -lc10)

cuda=$(fact cuda)
if [ -n "$cuda" ] && [ -z "$cpu_only" ]; then
    # Of a toolkit, or of the wheels from which PyTorch takes its CUDA.
    places=("$(dirname "$folder")"/nvidia/*/include /usr/local/cuda/include)
    if [ -n "${CUDA_HOME:-}" ]; then places=("$CUDA_HOME/include" "${places[@]}"); fi
    has_header() {
        for place in "${places[@]}"; do
            if [ -f "$place/$1" ]; then return 0; fi
        done
        return 1
    }
    # CUDA 13's wheels keep the headers in crt/ apart, CUDA 12's among the compiler's.
    case $cuda in
    12.*)
        wheels="nvidia-cuda-runtime-cu12==$cuda.* nvidia-cuda-nvcc-cu12==$cuda.*"
        wheels+=" nvidia-cuda-cccl-cu12==$cuda.*"
        ;;
    *) wheels="nvidia-cuda-runtime==$cuda.* nvidia-cuda-crt==$cuda.*" ;;
    esac
    hint="$python -m pip install $wheels, or set CUDA_HOME to a CUDA $cuda toolkit; "
    hint+="--cpu-only leaves GPUs out"
    headers=(cuda_runtime_api.h cublas_v2.h crt/host_config.h)
    case $cuda in 12.*) headers+=(nv/target) ;; esac
    for header in "${headers[@]}"; do
        has_header "$header" ||
            fail "PyTorch $version computes on GPUs, but CUDA's header $header is missing" "$hint"
    done
    for place in "${places[@]}"; do flags+=(-isystem "$place"); done
    flags+=(-DALSWEEP_HAS_CUDA)
    libraries+=(-ltorch_cuda -lc10_cuda)
    kind="CUDA $cuda"
else
    kind="the CPU only"
fi

say "PyTorch $version in $folder, for $kind"
mkdir -p "$(dirname "$output")"
# Replaced when it is whole: a program may have the old one open.
partial=$output.partial
trap 'rm -f "$partial"' EXIT
# As one source: most of the time goes into PyTorch's headers.
printf '#include "%s"\n' "$source"/plugin/*.cpp |
    "$compiler" "${flags[@]}" "-I$source/plugin" -x c++ - -o "$partial" "${libraries[@]}" ||
    fail "the plug-in cannot be built" "the compiler's own words stand above"
mv "$partial" "$output"
say "$output"
