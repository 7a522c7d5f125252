#!/bin/sh
# Builds the CPU stand-in for libcuda with every kernel in it: OUTDIR/libcuda.so.1.
#   ci/standin.sh [OUTDIR] [--asan]
set -eu
cd "$(dirname "$0")/.."

out=
asan=
for argument in "$@"; do
    case $argument in
        --asan) asan=1 ;;
        -*) echo "usage: ci/standin.sh [OUTDIR] [--asan]" >&2; exit 2 ;;
        *) out=$argument ;;
    esac
done
: "${out:=target/standin${asan:+-asan}}"
mkdir -p "$out"

flags="-std=c++17 -O2 -g -fPIC -fvisibility=hidden -fno-strict-aliasing -Wall -Wextra -Wno-unused-function -Wno-unknown-pragmas -DREWIT_STANDIN -I kernels -I $out"
if [ -n "$asan" ]; then
    flags="$flags -fsanitize=address -fno-omit-frame-pointer"
fi

# The header that host and device share, once there is a program that writes it.
if [ -f build/header.rs ]; then
    rustc --edition 2024 -o "$out/header" build/header.rs
    "$out/header" > "$out/layout.h.new"
    cmp -s "$out/layout.h.new" "$out/layout.h" || mv "$out/layout.h.new" "$out/layout.h"
fi

# One object per source file, made again if a source it includes is newer.
sources=$(find kernels -maxdepth 2 \( -name '*.cu' -o -path 'kernels/standin/*.cpp' \) | sort)
for source in $sources; do
    object=$out/$(basename "$source").o
    if [ -f "$object" ] && [ -f "$object.d" ]; then
        newer=$(sed -e 's/\\$//' -e 's/^[^:]*://' "$object.d" | tr -s ' ' '\n' | while read -r file; do
            [ -z "$file" ] || { [ -f "$file" ] && [ ! "$file" -nt "$object" ]; } || echo "$file"
        done)
        [ -n "$newer" ] || continue
    fi
    echo "$source"
done | xargs -P 2 -I '{}' sh -c 'o='"$out"'/$(basename "$1").o; echo "  $1"; g++ '"$flags"' -MMD -MF "$o.d" -x c++ -c -o "$o" "$1" || { rm -f "$o"; exit 255; }' sh '{}'

objects=$(for source in $sources; do echo "$out/$(basename "$source").o"; done)
# shellcheck disable=SC2086
g++ $flags -shared -Wl,-soname,libcuda.so.1 -Wl,-z,defs -o "$out/libcuda.so.1.new" $objects -lpthread
mv "$out/libcuda.so.1.new" "$out/libcuda.so.1"
ln -sf libcuda.so.1 "$out/libcuda.so"
