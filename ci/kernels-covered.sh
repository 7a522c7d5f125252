#!/bin/sh
# Says which kernels of the tree the tests ran on the CPU stand-in, and fails if any did not.
#
#   ci/kernels-covered.sh LOGFILE
#
# LOGFILE is what runs with REWIT_STANDIN_LOG=LOGFILE appended. Every kernel has an EXPORT line of its own, which is read here.
set -eu
[ $# = 1 ] || { echo "usage: ci/kernels-covered.sh LOGFILE" >&2; exit 2; }
[ -r "$1" ] || { echo "ci/kernels-covered.sh: $1 cannot be read; run the tests with REWIT_STANDIN_LOG=$1" >&2; exit 2; }
log=$(realpath "$1")
cd "$(dirname "$0")/.."

sources=$(find kernels -maxdepth 1 -name '*.cu' | sort)
[ -n "$sources" ] || { echo "ci/kernels-covered.sh: there are no kernels" >&2; exit 1; }
# shellcheck disable=SC2086
all=$(cat $sources | sed -n 's/^EXPORT(\([a-z0-9_]*\),.*/\1/p' | sort -u)
# shellcheck disable=SC2086
kernels=$(cat $sources | grep -c '^KERNEL(' || true)
num_all=$(echo "$all" | grep -c . || true)
missing=$(echo "$all" | grep -v -x -F -f "$log" || true)
num_missing=$(echo "$missing" | grep -c . || true)
echo "$((num_all - num_missing)) of $num_all kernels ran"
if [ "$kernels" != "$num_all" ]; then
    echo "$kernels kernels are declared by a line KERNEL(...), but $num_all by a line EXPORT(name, threads); each needs both" >&2
    exit 1
fi
if [ "$num_missing" != 0 ]; then
    echo "$missing" | sed 's/^/  did not run: /'
    exit 1
fi
