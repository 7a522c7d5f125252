#!/usr/bin/env bash
# Makes a CUDA compiler under target/nvcc from Python packages, and prints the folder that CUDA_PATH should name.
#
#   CUDA_PATH=$(ci/nvcc.sh) cargo build --features cuda
#
# The build finds target/nvcc by itself, so that CUDA_PATH need not be set. Does nothing, and needs no network, when
# the packages are there. It compiles only; it holds no driver.
#
#   ci/nvcc.sh --tools    also the disassemblers (cuobjdump, nvdisasm)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# 13.0: newer PTX is refused by drivers 580, which are in use. The exact versions are part of what ci/kernels.txt
# bounds: another compiler allocates other registers.
packages=(
    nvidia-cuda-nvcc==13.0.88
    nvidia-cuda-crt==13.0.88
    nvidia-nvvm==13.0.88
    nvidia-cuda-runtime==13.0.96
    nvidia-cuda-cccl==13.0.85
)
if [ "${1:-}" = --tools ]; then
    packages+=(nvidia-cuda-cuobjdump==13.2.51 nvidia-cuda-nvdisasm==13.2.51)
elif [ $# != 0 ]; then
    echo "usage: ci/nvcc.sh [--tools]" >&2
    exit 2
fi

folder=$PWD/target/nvcc
wanted="${packages[*]}"

toolkit() { echo "$folder"/lib/python3*/site-packages/nvidia/cu13; }

complete() {
    [ -x "$(toolkit)/bin/nvcc" ] || return 1
    local have=" $(cat "$folder/packages.txt" 2>/dev/null) " package
    for package in "${packages[@]}"; do
        [[ $have == *" $package "* ]] || return 1
    done
}

if ! complete; then
    echo "nvcc.sh: installing $wanted" >&2

    if [ ! -x "$folder/bin/python" ]; then
        python3 -m venv "$folder" >&2 || {
            echo "nvcc.sh: needs python3 with the venv module (Debian: apt-get install python3-venv)" >&2
            exit 1
        }
    fi
    "$folder/bin/python" -m pip install --quiet --no-deps --disable-pip-version-check "${packages[@]}" >&2
    # Every package asked for so far, on one line.
    { cat "$folder/packages.txt" 2>/dev/null || true; echo "$wanted"; } | tr ' \n' '\n\n' | sort -u | tr '\n' ' ' > "$folder/packages.new"
    mv "$folder/packages.new" "$folder/packages.txt"
fi
"$(toolkit)/bin/nvcc" --version >&2 | tail -1 || { echo "nvcc.sh: nvcc does not start" >&2; exit 1; }
toolkit
