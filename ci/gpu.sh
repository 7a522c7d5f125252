#!/usr/bin/env bash
# Tests and measures on a machine with a GPU, and ends with a line "N passed, N failed, N skipped".
#
#   ci/gpu.sh [FOLDER | repo] [PART...]
#
# FOLDER is a package that ci/package-gpu.sh made; it needs a driver and no compilers. `repo` builds from this
# repository with cargo and nvcc. Default: the package this file is in, else the repository.
#
# Parts, in order; all by default:
#   device      what the GPU and its driver say of themselves, and how fast they copy; at most 45 s
#   tests       the tests of kernels and backends on it; at most 170 s
#   sanitizer   memcheck and racecheck of compute-sanitizer on one small test of each stage; at most 120 s
#   ceilings    micro-benchmarks: what the device reaches at best; at most 40 s
#   stages      every stage at 2^18 to 2^22 rows, and proofs; at most 230 s
#   msm         multi-scalar multiplications of 2^16 to 2^26 points; at most 240 s
#   profile     a profile of the machine, with the GPU: what `rewit compare` and `rewit model` take; at most 400 s
# Together under twenty-one minutes without the build; where a command may not run that long, give the parts in several
# calls.
# A part that fails, or is cut off at its limit, does not stop those after it.
#
# Results (JSON) go to $OUT (default docs/results of the repository, results of a package); the log and device.csv, in
# which paths are absolute, to $LOGS (default target/gpu-log of the repository, $OUT of a package). A CPU stand-in fails,
# and so does a machine without a GPU; with REQUIRE_GPU=0 they do not, and what needs a GPU is skipped. No times of a
# stand-in are written in any case. Settings of the GPU are left as they are.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
usage() { sed -n '2,/^set /p' "$0" | sed -n 's/^# \{0,1\}//p'; exit 2; }

folder=
case ${1:-} in
    repo) folder=repo; shift ;;
    device | tests | sanitizer | ceilings | stages | msm | profile | '') ;;
    -*) usage ;;
    *) folder=$(cd "$1" 2>/dev/null && pwd) && [ -f "$folder/manifest.txt" ] \
        || { echo "gpu.sh: $1 is no package; make one with ci/package-gpu.sh" >&2; exit 2; }
       shift ;;
esac
if [ -z "$folder" ]; then
    if [ -f "$here/manifest.txt" ]; then folder=$here; else folder=repo; fi
fi
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(device tests sanitizer ceilings stages msm profile)
for part in "${parts[@]}"; do
    case $part in device | tests | sanitizer | ceilings | stages | msm | profile) ;; *) usage ;; esac
done

if [ "$folder" = repo ]; then
    cd "$here/.."
    OUT=${OUT:-docs/results} LOGS=${LOGS:-target/gpu-log}
else
    cd "$folder"
    OUT=${OUT:-results}
    LOGS=${LOGS:-$OUT}
fi
mkdir -p "$OUT" "$LOGS"
OUT=$(cd "$OUT" && pwd)
LOGS=$(cd "$LOGS" && pwd)
unpacked=
if [ "$folder" != repo ] && ls bin/*.gz >/dev/null 2>&1; then
    # The programs, beside the files they read; the package stays as it is.
    unpacked=$(mktemp -d)
    cp -r . "$unpacked" && cd "$unpacked" || exit 1
    find bin tests -maxdepth 1 -name '*.gz' -exec gunzip {} +
fi
export REQUIRE_GPU=${REQUIRE_GPU:-1} RUST_BACKTRACE=1
export PATH=$PATH:/usr/local/cuda/bin:/usr/local/nvidia/bin${CUDA_PATH:+:$CUDA_PATH/bin}

passed=0 failed=0 skipped=0
summary=()
count() { # count PASSED FAILED SKIPPED TEXT
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
    summary+=("$4: $1 passed, $2 failed, $3 skipped")
}
# Runs a command under a time limit, its output into $log and onto the terminal; returns its exit code.
log=$(mktemp)
trap 'rm -rf "$log" ${unpacked:+"$unpacked"}' EXIT
limited() {
    local seconds=$1
    shift
    timeout --kill-after=2 "$seconds" "$@" > "$log" 2>&1
    local code=$?
    cat "$log"
    [ $code = 0 ] || echo "exit code $code: $*"
    [ $code != 124 ] || echo "stopped after its limit of $seconds s"
    return $code
}
# The number before a word, summed over the lines of test results in $log.
sum() { grep '^test result:' "$log" | grep -oE "[0-9]+ $1" | awk '{ n += $1 } END { print n + 0 }'; }

# Program of the package, or how cargo names it.
test_programs() {
    if [ "$folder" = repo ]; then echo "${built_tests[@]}"; else find "$PWD/tests" -maxdepth 1 -type f | sort; fi
}
built_tests=()
rewit=$PWD/bin/rewit
bench=$PWD/bin/bench-cuda
if [ "$folder" = repo ]; then
    # Built first, outside of every limit.
    executables() {
        cargo "$@" --release --locked --features cuda --message-format=json \
            | sed -n 's/.*"target":{"kind":\["\([a-z-]*\)".*"executable":"\([^"]*\)".*/\1 \2/p'
    }
    targets=(--lib)
    for file in tests/backends.rs tests/cuda*.rs; do
        targets+=(--test "$(basename "$file" .rs)")
    done
    while read -r kind path; do
        case $kind in lib | test) built_tests+=("$path") ;; esac
    done < <(executables test --no-run "${targets[@]}")
    while read -r kind path; do
        case $kind in bin) rewit=$path ;; bench) bench=$path ;; esac
    done < <(executables build --bin rewit --bench cuda)
    [ ${#built_tests[@]} -gt 0 ] && [ -x "$rewit" ] && [ -x "$bench" ] || { echo "gpu.sh: the build failed" >&2; exit 1; }
else
    chmod +x bin/* 2>/dev/null
    find tests -maxdepth 1 -type f -exec chmod +x {} + 2>/dev/null
fi
# Where tests that run the program find it.
export CARGO_BIN_EXE_rewit=$rewit

part_device() {
    local fields=name,compute_cap,driver_version,memory.total,ecc.mode.current,power.limit,clocks.max.sm,clocks.max.memory
    fields+=,clocks.sm,clocks.memory,temperature.gpu,pcie.link.gen.max,pcie.link.gen.current,pcie.link.width.current
    fields+=,persistence_mode,mig.mode.current
    if command -v nvidia-smi > /dev/null; then
        limited 10 nvidia-smi "--query-gpu=$fields" --format=csv || limited 5 nvidia-smi
        cp "$log" "$LOGS/device.csv"
    else
        echo "SKIPPED nvidia-smi: not there"
        count 0 0 1 "nvidia-smi"
    fi
    if [ -f manifest.txt ]; then cat manifest.txt; else echo "commit $(git rev-parse HEAD)"; fi
    limited 30 "$rewit" devices --measure
    local code=$? missing=
    if [ $code != 0 ] || ! grep -q '^gpu .*compute capability' "$log"; then
        missing="none found"
    elif grep -qi 'stand-in' "$log"; then
        missing="a stand-in"
    fi
    if [ $code != 0 ] || { [ -n "$missing" ] && [ "$REQUIRE_GPU" = 1 ]; }; then
        count 0 1 0 "device: ${missing:-an error}"
    elif [ -n "$missing" ]; then
        count 0 0 1 "device: $missing"
    else
        count 1 0 0 device
    fi
}

# Programs run one after another, and of each four tests at a time: all share the one device, and its memory.
part_tests() {
    local program code end=$((SECONDS + 170))
    for program in $(test_programs); do
        local filter=()
        # Of the library's tests only those of kernels and backends need a device.
        case $(basename "$program") in lib | rewit-*) filter=(backend::) ;; esac
        if [ $SECONDS -ge $end ]; then
            echo "SKIPPED $program: out of time"
            count 0 0 1 "$(basename "$program")"
            continue
        fi
        limited $((end - SECONDS)) "$program" --test-threads=4 "${filter[@]}"
        code=$?
        local more=0
        # A program that dies counts as a failure even if no test of it does.
        [ $code = 0 ] || [ "$(sum failed)" -gt 0 ] || more=1
        count "$(sum passed)" $(($(sum failed) + more)) $(($(sum ignored) + $(grep -c SKIPPED "$log"))) "$(basename "$program")"
    done
}

# The first test of each module of kernels.
first_tests() {
    "$1" --list 2>/dev/null | sed -n 's/^\(backend::cuda::.*\): test$/\1/p' | sort \
        | awk -F:: '!($3 in seen) { seen[$3] = 1; print }'
}

part_sanitizer() {
    local program tool name code end
    for program in $(test_programs); do
        case $(basename "$program") in lib | rewit-*) break ;; esac
    done
    local names
    mapfile -t names < <(first_tests "$program")
    if [ ${#names[@]} = 0 ]; then
        echo "no tests of kernels in $program"
        count 0 1 0 "sanitizer"
        return
    fi
    if ! command -v compute-sanitizer > /dev/null; then
        echo "SKIPPED compute-sanitizer: not there (${#names[@]} tests, 2 tools)"
        count 0 0 $((2 * ${#names[@]})) "sanitizer"
        return
    fi
    for tool in memcheck racecheck; do
        local ok=0 bad=0 late=0
        end=$((SECONDS + 60))
        for name in "${names[@]}"; do
            if [ $SECONDS -ge $end ]; then
                echo "SKIPPED $tool $name: out of time"
                late=$((late + 1))
                continue
            fi
            echo "-- $tool $name"
            limited $((end - SECONDS)) compute-sanitizer --tool "$tool" --error-exitcode 86 --print-limit 5 "$program" --exact "$name" --test-threads=1
            code=$?
            if [ $code = 0 ]; then ok=$((ok + 1)); else bad=$((bad + 1)); fi
        done
        count $ok $bad $late "$tool"
    done
}

# one NAME SECONDS COMMAND...: a part that passes, fails or is skipped as a whole.
one() {
    local name=$1 seconds=$2 code
    shift 2
    limited "$seconds" "$@"
    code=$?
    if [ $code = 0 ] && ! grep -q '^not timed' "$log"; then
        count 1 0 0 "$name"
    elif [ $code = 0 ] || { [ $code = 2 ] && [ "$REQUIRE_GPU" != 1 ]; }; then
        # Compared and not timed, or no device.
        count 0 0 1 "$name"
    else
        count 0 1 0 "$name"
    fi
}
part_ceilings() { one ceilings 40 "$bench" --ceilings --out "$OUT"; }
# The limit is for comparing results, which comes first, and for what is under way when the time is spent.
part_stages() { one stages 230 "$bench" --stages --seconds 170 --out "$OUT"; }
part_profile() {
    one profile 400 "$rewit" run --profile full --backend cuda --no-progress --out "$OUT/$(date -u +%F)-cuda-profile.json"
}
part_msm() { one msm 240 "$bench" --msm --seconds 170 --out "$OUT"; }

run() {
    for part in "${parts[@]}"; do
        printf '\n== %s (%ss)\n' "$part" "$SECONDS"
        "part_$part"
    done
    printf '\n== summary (%ss)\n' "$SECONDS"
    printf '%s\n' "${summary[@]}"
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}
run > >(tee "$LOGS/gpu-$(IFS=-; echo "${parts[*]}").log")
code=$?
wait
exit $code
