# Sourced by scripts that need PyTorch: sets `python` to one that has it, in a virtual environment
# that is made on first use and kept. ALSWEEP_BENCH_VENV names another one. Without a graphics card
# PIP_INDEX_URL=https://download.pytorch.org/whl/cpu saves some gigabytes.
environment=${ALSWEEP_BENCH_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/alsweep-benchmarks}
python=$environment/bin/python
modules="torch torchvision numpy PIL safetensors"
packages="torch torchvision numpy pillow safetensors"

has_modules() {
    # shellcheck disable=SC2086 # the words are separate arguments
    "$python" -c 'import sys, importlib.util as u
sys.exit(not all(u.find_spec(name) for name in sys.argv[1:]))' $modules 2>/dev/null
}

if ! has_modules; then
    echo "installing PyTorch into $environment" >&2
    mkdir -p "$environment"
    if ! python3 -m venv "$environment"; then
        echo "error: python3 cannot make a virtual environment in $environment" >&2
        echo "hint: on Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
    # shellcheck disable=SC2086 # the words are separate arguments
    "$python" -m pip install --quiet --disable-pip-version-check $packages >&2
fi
# Compiled kernels are kept beside it.
export TORCHINDUCTOR_CACHE_DIR="${TORCHINDUCTOR_CACHE_DIR:-$environment/inductor-cache}"
