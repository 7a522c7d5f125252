#!/usr/bin/env bash
# Compiles every kernel for every architecture, prints what the compiler made of each, and fails where one exceeds
# its limits in ci/kernels.txt.
#
#   ci/kernels.sh             all architectures, or those in REWIT_CUDA_ARCHS
#
# Uses the nvcc that the build would use, and installs one (ci/nvcc.sh) if there is none. The limits hold for the
# version that ci/nvcc.sh installs. Compiled code is kept in target/kernels; REWIT_KERNEL_CACHE=target/kernels lets
# the build use it too. JOBS sets how many compilers run at a time (default: all processors).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$PWD/target/kernels
mkdir -p "$folder/include"

# The limits are for the pinned compiler, so that one comes first.
if [ -z "${NVCC:-}${CUDA_PATH:-}" ]; then
    CUDA_PATH=$(ci/nvcc.sh 2>"$folder/nvcc.log") || { cat "$folder/nvcc.log" >&2; exit 1; }
    export CUDA_PATH
fi
# Programs of this folder are one file each and need no cargo.
program() {
    if [ ! "$folder/$1" -nt "build/$1.rs" ] || [ ! "$folder/$1" -nt build/kernels.rs ]; then
        rustc --edition 2024 -Adead_code -o "$folder/$1" "build/$1.rs"
    fi
}
# Always built anew: it includes files of the crate.
rustc --edition 2024 -o "$folder/header" build/header.rs
"$folder/header" > "$folder/include/layout.h.new"
mv "$folder/include/layout.h.new" "$folder/include/layout.h"
program table
"$folder/table" "$PWD" "$folder" "${JOBS:-$(nproc)}"
