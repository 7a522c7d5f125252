#!/usr/bin/env bash
# Builds here what runs on a machine with a GPU, and puts it into target/gpu-package: the program, the tests and
# benchmarks of kernels, the files they read, and gpu.sh, which runs them. Neither Rust nor CUDA is needed there,
# only a driver.
#
#   ci/package-gpu.sh
#
# REWIT_CUDA_ARCHS names the GPU's architecture (default: 90, Hopper). Every program holds all kernels, so two are already
# too large; newer GPUs run the portable code of the one named. FEATURES adds features, such as peers-cuda. JOBS sets how many
# compilers run at a time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

max_bytes=$((40 << 20))
package=$PWD/target/gpu-package
features=cuda${FEATURES:+,$FEATURES}
die() { echo "package-gpu.sh: $*" >&2; exit 1; }

if [ -z "${NVCC:-}${CUDA_PATH:-}" ]; then
    CUDA_PATH=$(ci/nvcc.sh 2>/dev/null) || die "ci/nvcc.sh failed; set CUDA_PATH to a CUDA toolkit"
    export CUDA_PATH
fi
# The machine with the GPU has another processor. A folder of its own keeps the usual build as it is.
export RUSTFLAGS="-C target-cpu=x86-64-v3"
export CARGO_TARGET_DIR=$PWD/target/gpu CARGO_PROFILE_RELEASE_STRIP=symbols
export REWIT_KERNEL_CACHE=$PWD/target/kernels
export REWIT_CUDA_ARCHS=${REWIT_CUDA_ARCHS:-90}

# cargo ARGUMENTS...: builds, and prints kind, name and path of each program.
programs() {
    cargo "$@" --release --locked --jobs "${JOBS:-$(nproc)}" --features "$features" --message-format=json \
        | sed -n 's/.*"target":{"kind":\["\([a-z-]*\)".*"name":"\([^"]*\)".*"executable":"\([^"]*\)".*/\1 \2 \3/p'
}

targets=(--lib)
for file in tests/backends.rs tests/cuda*.rs; do
    targets+=(--test "$(basename "$file" .rs)")
done
rm -rf "$package"
mkdir -p "$package/bin" "$package/tests" "$package/guests"
# Cargo builds the program along with tests that run it; named so that it is there without them too.
tests=$(programs test --no-run "${targets[@]}")
while read -r kind name path; do
    case $kind in
        lib) cp "$path" "$package/tests/lib" ;;
        test) cp "$path" "$package/tests/$name" ;;
    esac
done <<< "$tests"
others=$(programs build --bin rewit --bench cuda)
while read -r kind name path; do
    case $kind in
        bin) cp "$path" "$package/bin/$name" ;;
        bench) cp "$path" "$package/bin/bench-$name" ;;
    esac
done <<< "$others"
for file in bin/rewit bin/bench-cuda tests/lib; do
    [ -x "$package/$file" ] || die "cargo did not name $file"
done

# Tests read these relative to where they run.
cp -r guests/prebuilt guests/inputs guests/manifest.json "$package/guests/"
[ ! -d tests/data ] || cp -r tests/data "$package/tests/data"
cp ci/gpu.sh "$package/gpu.sh"
dirty=false
[ -z "$(git status --porcelain --untracked-files=no)" ] || dirty=true
cat > "$package/manifest.txt" <<TEXT
commit $(git rev-parse HEAD)
dirty $dirty
features $features
architectures $REWIT_CUDA_ARCHS
rustc $(rustc --version)
nvcc $("${NVCC:-$CUDA_PATH/bin/nvcc}" --version | sed -n 's/.*release //p')
TEXT

# Machine code shrinks to less than half; gpu.sh unpacks it.
gzip -n "$package"/bin/*
find "$package/tests" -maxdepth 1 -type f -exec gzip -n {} +
bytes=$(du -sb "$package" | cut -f1)
cat "$package/manifest.txt"
echo "$package: $(find "$package" -type f | wc -l) files, $((bytes >> 10)) KiB of $((max_bytes >> 10)) KiB allowed"
[ "$bytes" -le "$max_bytes" ] || die "the package is too large; name fewer REWIT_CUDA_ARCHS"
