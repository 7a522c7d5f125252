#!/usr/bin/env bash
# Builds and checks the RISC-V guests; see guests/README.md.
#
#   ci/guests.sh build    rebuild guests/prebuilt, then inputs and manifest
#   ci/guests.sh check    rebuild elsewhere and compare with the manifest; SKIPPED without the recorded toolchain
#   ci/guests.sh verify   compare the committed files with the manifest, and the expected results with native runs
#   ci/guests.sh qemu     run every guest on every input under qemu-riscv32 and compare with the manifest
#
# The target toolchain is Debian's (core and alloc are built from its sources, which no binary release of Rust carries
# for a bare RV32IM with atomics lowered away). The host tool is built with whatever stable `cargo` is first in PATH.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
guests=$root/guests
target=riscv32im-risc0-zkvm-elf
target_dir=${CARGO_TARGET_DIR:-$guests/target}
jobs=${GUESTS_JOBS:-2}
names=(fib sha2-chain keccak-chain sort ecdsa block)

# The one toolchain whose output the manifest records.
rust_version=1.96.0
lld_version=22.1.8
rustc=/usr/bin/rustc
cargo=/usr/bin/cargo
linker=/usr/bin/ld.lld-22
rust_src=/usr/src/rustc-$rust_version

say() { printf '%s\n' "$*" >&2; }
die() { say "guests.sh: $*"; exit 1; }

install_packages() {
    [ "$(id -u)" = 0 ] || die "not root, cannot install: $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Says why the recorded toolchain is absent, or nothing.
toolchain_missing() {
    if [ ! -x "$rustc" ] || [ ! -x "$cargo" ]; then
        echo "no Debian rustc-web and cargo-web"
    elif ! "$rustc" --version | grep -q "^rustc $rust_version "; then
        echo "$rustc is not version $rust_version"
    elif [ ! -d "$rust_src/library" ]; then
        echo "no rust-web-src $rust_version"
    elif ! "$linker" --version 2>/dev/null | grep -q "LLD $lld_version"; then
        echo "no lld-22 version $lld_version"
    fi
}

# build_elfs FOLDER: builds every guest and copies the ELF files to FOLDER.
build_elfs() {
    local out=$1 name index
    local home=${CARGO_HOME:-$HOME/.cargo}
    # Paths end up in panic messages: name them the same wherever the build runs.
    local flags=(
        -Cpasses=lower-atomic
        -Clinker="$linker" -Clinker-flavor=ld.lld
        -Clink-arg=-T"$guests/rt/link.ld" -Clink-arg=--build-id=none
        -Crelocation-model=static
        --remap-path-prefix="$guests=guests"
        --remap-path-prefix="$rust_src=rust"
        --remap-path-prefix="$("$rustc" --print sysroot)/lib/rustlib/src/rust=rust"
        --remap-path-prefix="$home=cargo"
    )
    # The registry folder carries the name of the index it came from; the last matching rule wins.
    (cd "$guests" && CARGO_TARGET_DIR=$target_dir RUSTC=$rustc "$cargo" fetch --locked --quiet)
    for index in "$home"/registry/src/*/; do
        flags+=(--remap-path-prefix="${index%/}=crates")
    done
    mkdir -p "$out"
    local encoded
    encoded=$(printf '%s\x1f' "${flags[@]}")
    # One build per guest, so that no guest's features depend on its neighbours.
    for name in "${names[@]}"; do
        say "building $name"
        (
            cd "$guests"
            CARGO_TARGET_DIR=$target_dir CARGO_ENCODED_RUSTFLAGS=${encoded%$'\x1f'} \
                RUSTC=$rustc RUSTC_BOOTSTRAP=1 "$cargo" build --quiet --locked --release -j "$jobs" \
                -Z build-std=core,alloc -Z build-std-features=compiler-builtins-mem \
                --target "$target" -p "guest-$name"
        )
        cp "$target_dir/$target/release/$name" "$out/$name.elf"
        chmod 755 "$out/$name.elf" # qemu-riscv32 refuses, silently, a file that is not executable
    done
}

tool() {
    (cd "$guests" && CARGO_TARGET_DIR=$target_dir cargo run --quiet --locked --release -j "$jobs" -p guest-tool -- "$@")
}

cmd_build() {
    if [ -n "$(toolchain_missing)" ]; then
        install_packages rustc-web cargo-web rust-web-src lld-22
    fi
    local why
    why=$(toolchain_missing)
    [ -z "$why" ] || die "$why; the recorded hashes need that version (edit it above to move on)"
    build_elfs "$guests/prebuilt"
    tool generate "$guests" "rustc=$rust_version" "lld=$lld_version"
}

cmd_check() {
    local why
    why=$(toolchain_missing)
    if [ -n "$why" ]; then
        echo "SKIPPED guests check: $why"
        return
    fi
    local folder
    folder=$(mktemp -d)
    # shellcheck disable=SC2064  # the name is known now
    trap "rm -rf '$folder'" EXIT
    target_dir=$folder/target build_elfs "$folder/elf"
    tool compare "$guests" "$folder/elf"
}

cmd_verify() { tool verify "$guests"; }

cmd_qemu() {
    command -v qemu-riscv32 >/dev/null || install_packages qemu-user
    tool qemu "$guests"
}

case ${1:-} in
    build | check | verify | qemu) "cmd_$1" ;;
    *) say "usage: ci/guests.sh build|check|verify|qemu"; exit 2 ;;
esac
