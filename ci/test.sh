#!/usr/bin/env bash
# Installs what the tests need, runs them all, and ends with a line "N passed, M failed, K skipped".
#
# Needs: a Rust toolchain, 4 GB of disk, and on Debian root or sudo for packages. CI_SKIP_INSTALL=1 installs nothing. No GPU is
# needed: kernels run on the CPU stand-in, and are compiled for GPUs by nvcc, which is installed from PyPI under target/.
set -euo pipefail
cd "$(dirname "$0")/.."

log() { printf '\n== %s (%ss)\n' "$*" "$SECONDS"; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

install_packages() {
  local missing=()
  command -v qemu-riscv32 >/dev/null || missing+=(qemu-user)
  command -v g++ >/dev/null || missing+=(g++)
  python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
  command -v riscv64-unknown-elf-gcc >/dev/null || missing+=(gcc-riscv64-unknown-elf)
  dpkg -s picolibc-riscv64-unknown-elf >/dev/null 2>&1 || missing+=(picolibc-riscv64-unknown-elf)
  command -v chromium >/dev/null || missing+=(chromium)
  # Without a font of the system it draws no text.
  fc-list 2>/dev/null | grep -q . || missing+=(fonts-dejavu-core)
  if [ ${#missing[@]} = 0 ]; then return; fi
  as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

free_gb=$(df -Pk . | awk 'NR == 2 { print int($4 * 1024 / 1e9) }')
[ "$free_gb" -ge 4 ] || echo "warning: $free_gb GB are free here, and the build takes 4" >&2

if [ "${CI_SKIP_INSTALL:-0}" != 1 ] && command -v apt-get >/dev/null; then
  log "packages"
  install_packages
  # On this path everything is there, so nothing may be skipped.
  export REQUIRE_QEMU=1 REQUIRE_RISCV_GCC=1 REQUIRE_CHROMIUM=1
fi
rustup component list --installed 2>/dev/null | grep -q clippy || rustup component add clippy rustfmt

log "format"
cargo fmt --check

log "lints"
cargo clippy --release --all-targets --locked -- -D warnings

log "tests"
results=$(mktemp)
trap 'rm -f "$results"' EXIT
cargo test --release --locked --no-fail-fast 2>&1 | tee "$results"

log "kernels for GPUs: registers and spills"
ci/kernels.sh

log "the CPU stand-in for CUDA"
ci/standin.sh --test 2>&1 | tee -a "$results"

# The program that would run on a GPU, with all machine code in it, on the stand-in.
export CUDA_PATH REWIT_KERNEL_CACHE=target/kernels REWIT_CUDA_ARCHS="75 80 86 89 90 120"
CUDA_PATH=$(ci/nvcc.sh 2>/dev/null)
export REWIT_LIBCUDA=$PWD/target/standin/libcuda.so.1 REQUIRE_CUDA=1
kernels=$(mktemp)
trap 'rm -f "$results" "$kernels"' EXIT

# With other projects' code that ours is timed beside, too: it is compiled once for all that follows.
log "lints with CUDA and peers"
cargo clippy --release --all-targets --locked --features cuda,peers -- -D warnings

log "tests with CUDA and peers"
REWIT_STANDIN_LOG=$kernels cargo test --release --locked --no-fail-fast --features cuda,peers --lib \
  --test backends --test folding_backends --test 'cuda_*' 2>&1 | tee -a "$results"
export REWIT_STANDIN_LOG=$kernels
cargo bench --locked --features cuda,peers --bench cuda -- --test
unset REWIT_STANDIN_LOG
ci/kernels-covered.sh "$kernels"
cargo bench --locked --features cuda,peers --bench msm -- --test

log "every benchmark once"
cargo bench --locked -- --test 2>&1 | grep -vE '^(Testing|Success|$)'

log "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps --document-private-items --features cuda,peers

log "fuzz targets compile"
cargo check --quiet --release --manifest-path fuzz/Cargo.toml

log "done; the build took $(du -sm target fuzz/target | awk '{ n += $1 } END { print n }') MiB of disk"
sum() { grep -oE "[0-9]+ $1" "$results" | awk '{ n += $1 } END { print n + 0 }'; }
skipped=$(( $(sum ignored) + $(grep -c SKIPPED "$results" || true) ))
echo "$(sum passed) passed, $(sum failed) failed, $skipped skipped"
