#!/bin/sh
# Builds the CPU stand-in for libcuda, with every kernel in it, as OUTDIR/libcuda.so.1. Needs g++ only.
#
#   ci/standin.sh [OUTDIR] [--asan | --races] [--test]
#
# OUTDIR is target/standin (target/standin-asan, target/standin-races) unless named. Programs find the stand-in by REWIT_LIBCUDA=OUTDIR/libcuda.so.1.
# --asan  with AddressSanitizer; for a program that is built without it, also set
#         LD_PRELOAD="$(g++ -print-file-name=libasan.so)" and ASAN_OPTIONS=detect_leaks=0
# --races with a search for accesses that race; slow, and needs 18 bytes of memory for each of device memory that kernels touch
# --test  then runs the stand-in's own tests
set -eu
cd "$(dirname "$0")/.."

out=
asan=
races=
test=
for argument in "$@"; do
    case $argument in
        --asan) asan=1 ;;
        --races) races=1 ;;
        --test) test=1 ;;
        -*) echo "usage: ci/standin.sh [OUTDIR] [--asan | --races] [--test]" >&2; exit 2 ;;
        *) out=$argument ;;
    esac
done
: "${out:=target/standin${asan:+-asan}${races:+-races}}"
mkdir -p "$out"

flags="-std=c++17 -O2 -g -fPIC -fvisibility=hidden -Wall -Wextra -Wno-unused-function -Wno-unknown-pragmas -DREWIT_STANDIN -I kernels -I $out"
if [ -n "$asan" ]; then
    flags="$flags -fsanitize=address -fno-omit-frame-pointer"
fi
# Kernels alias words and vectors as nvcc lets them; what the compiler can check goes to the stand-in's reports.
checks="-fno-strict-aliasing -fsanitize=alignment,null,bounds,shift-exponent,integer-divide-by-zero -fno-sanitize-recover=all"

if [ -n "$races" ]; then
    # Only kernels get the calls; races.cpp answers them, so nothing links ThreadSanitizer itself.
    flags="$flags -DREWIT_STANDIN_RACES"
    checks="$checks -Wno-tsan -fsanitize=thread --param tsan-distinguish-volatile=1 --param tsan-instrument-func-entry-exit=0"
fi

# The header that host and device share, once there is a program that writes it.
if [ -f build/header.rs ]; then
    rustc --edition 2024 -o "$out/header" build/header.rs
    "$out/header" > "$out/layout.h.new"
    cmp -s "$out/layout.h.new" "$out/layout.h" || mv "$out/layout.h.new" "$out/layout.h"
fi

kernels=$(find kernels -maxdepth 1 -name '*.cu' | sort)
inside=$(find kernels/standin -maxdepth 1 -name '*.cpp' | sort)
tests=
[ -z "$test" ] || tests=$(find kernels/standin/test -name '*.cpp' -o -name '*.cu' | sort)

object_of() { echo "$out/$(basename "$1").o"; }

# Whether the object of source $1 is newer than all that it was made from.
is_fresh() {
    object=$(object_of "$1")
    [ -f "$object" ] && [ -f "$object.d" ] && [ "$object" -nt ci/standin.sh ] || return 1
    for file in $(sed -e 's/\\$//' -e 's/^[^:]*://' "$object.d"); do
        [ -f "$file" ] && [ ! "$file" -nt "$object" ] || return 1
    done
}

# One object per source file, two compilers at a time.
for source in $kernels $inside $tests; do
    is_fresh "$source" || echo "$source"
done | xargs -r -P 2 -I '{}' sh -c '
    echo "  $1"
    object=$2/$(basename "$1").o
    case $1 in *.cu) set -- "$1" "$3 $4" ;; *) set -- "$1" "$3" ;; esac
    g++ $2 -MMD -MF "$object.d" -x c++ -c -o "$object" "$1" || { rm -f "$object"; exit 255; }' sh '{}' "$out" "$flags" "$checks"

objects() { for source in "$@"; do object_of "$source"; done; }
# Programs see the driver's functions and the stand-in's own, and none of the kernels or of the C++ library.
echo '{ global: cu*; rewit_standin_*; local: *; };' > "$out/exports"
# shellcheck disable=SC2046,SC2086
g++ $flags -shared -Wl,-soname,libcuda.so.1 -Wl,-z,defs -Wl,--version-script="$out/exports" -o "$out/libcuda.so.1.new" $(objects $kernels $inside) -lpthread -ldl
mv "$out/libcuda.so.1.new" "$out/libcuda.so.1"
ln -sf libcuda.so.1 "$out/libcuda.so"

if [ -n "$test" ]; then
    # shellcheck disable=SC2046,SC2086
    g++ $flags -o "$out/standin-test" $(objects $tests $inside) -lpthread -ldl
    "$out/standin-test"
    # Each process logs a kernel once, however often it runs.
    rm -f "$out/kernels.log"
    for _ in 1 2; do REWIT_STANDIN_LOG=$out/kernels.log "$out/standin-test" barrier; done
    if [ "$(cat "$out/kernels.log")" != "$(printf 'probe_reverse\nprobe_reverse')" ]; then
        echo "FAILED: $out/kernels.log must name probe_reverse twice" >&2
        exit 1
    fi
fi
