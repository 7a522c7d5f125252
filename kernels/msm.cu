// Multi-scalar multiplication over BN254's G1 by buckets, for many vectors of scalars at once.
//
// A scalar is written in signed digits of `width` bits; each digit that is not zero becomes an entry: which bucket
// the point goes to, and which point with which sign. Entries are sorted by bucket (sort.cu), then every thread adds
// up as many neighbouring entries as any other, whatever buckets they are of. A run of equal buckets that begins and
// ends within a thread's share is done; of the others the threads' first and last sums are joined in a tree. So a
// bucket that holds every point costs what all others cost. At last each set of buckets b_1, b_2, .. becomes
// b_1 + 2 b_2 + ..
//
// With multiples 2^(k * spacing) of the points at hand, windows `spacing` bits apart share a set of buckets.
//
// Of an addition (8 multiplications and 2 squarings) 1850 instructions, 1200 of them multiply-adds of half rate,
// against 72 bytes read: it is bound by arithmetic. 40 clocks a multiprocessor are 6.6e9 additions a second on an
// H200 (derived, not timed).
//
// # Source
// Pippenger's bucket method. Signed digits with a bias instead of carries; buckets by sorting, as in cuZK
// (eprint 2022/1321) and others.
#include "curve.cuh"

constexpr uint32_t MSM_THREADS = 256;
constexpr uint32_t MSM_WARPS = MSM_THREADS / 32;
/// Windows of two bits of a scalar of 253.
constexpr uint32_t MSM_MAX_WINDOWS = 127;
/// Bit lengths, from 0 to 64.
constexpr uint32_t MSM_LENGTHS = 65;
/// Records that a block joins, and sums that it reduces.
constexpr uint32_t MSM_JOIN_THREADS = 128;
constexpr uint32_t MSM_ALL = 0xffffffffu;

/// A vector of scalars. The host's record of this layout is `Vector` of msm/kernels.rs.
struct MsmVector {
    /// Device address of `[len]` scalars: signed 64-bit numbers, or elements of Fr in Montgomery form.
    uint64_t scalars;
    uint32_t len;
    /// The point that the first scalar belongs to.
    uint32_t first;
    /// The first of the vector's blocks, each of MSM_THREADS scalars.
    uint32_t first_block;
    uint32_t num_windows;
    /// The first of the vector's sets of buckets.
    uint32_t first_set;
    uint32_t is_small;
};
static_assert(sizeof(MsmVector) == 32, "as on the host");

/// How scalars are cut into digits: `Digits` of msm/kernels.rs.
struct MsmDigits {
    /// Bits of a digit, and windows from one multiple of the points to the next.
    uint32_t width, levels;
    /// Points of the key, and so from one multiple of a point to the next.
    uint32_t num_points;
    /// 2^(width - 1) - 1 in each window.
    uint32_t bias[9];
};
static_assert(sizeof(MsmDigits) == 48, "as on the host");

/// The vector that this block works on.
DEVICE MsmVector block_vector(const MsmVector* __restrict__ vectors, uint32_t num_vectors) {
    uint32_t low = 0, high = num_vectors;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (vectors[middle].first_block <= blockIdx.x) low = middle;
        else high = middle;
    }
    return vectors[low];
}

/// Counts the bit lengths of small scalars.
///
/// - vectors: [num_vectors], all small, ascending by `first_block`, none empty.
/// - lengths: [num_vectors][MSM_LENGTHS], zero before.
///
/// Grid: a block for each MSM_THREADS scalars of each vector. Block: MSM_THREADS. Tested against a loop on the host.
KERNEL(256) msm_measure(const MsmVector* __restrict__ vectors, uint32_t* __restrict__ lengths, uint32_t num_vectors) {
    SHARED(uint32_t, counts, MSM_LENGTHS);
    MsmVector vector = block_vector(vectors, num_vectors);
    uint32_t thread = threadIdx.x;
    if (thread < MSM_LENGTHS) counts[thread] = 0;
    __syncthreads();
    uint32_t i = (blockIdx.x - vector.first_block) * MSM_THREADS + thread;
    // One more than the longest stands for no scalar.
    uint32_t length = MSM_LENGTHS;
    if (i < vector.len) {
        uint64_t word = reinterpret_cast<const uint64_t*>(vector.scalars)[i];
        uint64_t magnitude = word >> 63 ? 0 - word : word;
        uint32_t low = uint32_t(magnitude), high = uint32_t(magnitude >> 32);
        length = high != 0 ? 64 - __clz(high) : 32 - __clz(low);
    }
    uint32_t alike = __match_any_sync(MSM_ALL, length);
    bool leads = thread % 32 == uint32_t(__ffs(alike)) - 1;
    if (leads && length < MSM_LENGTHS) atomicAdd(&counts[length], uint32_t(__popc(alike)));
    __syncthreads();
    if (thread < MSM_LENGTHS && counts[thread] != 0) {
        atomicAdd(&lengths[vector.first_set * MSM_LENGTHS + thread], counts[thread]);
    }
}
EXPORT(msm_measure, 256)

/// A scalar's magnitude with the digits' bias added, cut into windows from below.
template <uint32_t WORDS>
struct Windows {
    uint32_t words[WORDS];

    DEVICE void add_bias(const uint32_t* bias) {
        uint64_t carry = 0;
#pragma unroll
        for (uint32_t k = 0; k < WORDS; k++) {
            carry += uint64_t(words[k]) + bias[k];
            words[k] = uint32_t(carry);
            carry >>= 32;
        }
    }
    /// The digit of the lowest window, from -(2^(width-1) - 1) to 2^(width-1); then moves on by a window.
    DEVICE int32_t next(uint32_t width) {
        uint32_t window = words[0] & ((1u << width) - 1);
#pragma unroll
        for (uint32_t k = 0; k < WORDS; k++) {
            words[k] = __funnelshift_r(words[k], k + 1 < WORDS ? words[k + 1] : 0, width);
        }
        return int32_t(window) - int32_t((1u << (width - 1)) - 1);
    }
};

/// Writes the entries of a block's scalars, in any order.
///
/// - is_negative: of this thread's scalar; one that is zero has no entries.
/// - offsets: [MSM_MAX_WINDOWS][MSM_WARPS], shared; base: one shared word.
template <uint32_t WORDS>
DEVICE void write_entries(const Windows<WORDS>& scalar, bool is_negative, const MsmVector& vector, uint32_t i,
                          const MsmDigits& digits, uint32_t* keys, uint32_t* values, uint32_t* counter,
                          uint32_t capacity, uint32_t* offsets, uint32_t* base) {
    uint32_t thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
    Windows<WORDS> rest = scalar;
    for (uint32_t w = 0; w < vector.num_windows; w++) {
        uint32_t lanes = __ballot_sync(MSM_ALL, rest.next(digits.width) != 0);
        if (lane == 0) offsets[w * MSM_WARPS + warp] = __popc(lanes);
    }
    __syncthreads();
    // One warp turns the counts into offsets.
    if (warp == 0) {
        uint32_t before = 0;
        for (uint32_t start = 0; start < vector.num_windows * MSM_WARPS; start += 32) {
            uint32_t at = start + lane;
            uint32_t count = at < vector.num_windows * MSM_WARPS ? offsets[at] : 0;
            uint32_t inclusive = count;
#pragma unroll
            for (uint32_t step = 1; step < 32; step *= 2) {
                uint32_t other = __shfl_up_sync(MSM_ALL, inclusive, step);
                if (lane >= step) inclusive += other;
            }
            if (at < vector.num_windows * MSM_WARPS) offsets[at] = before + inclusive - count;
            before += __shfl_sync(MSM_ALL, inclusive, 31);
        }
        if (lane == 0) *base = before == 0 ? 0 : atomicAdd(counter, before);
    }
    __syncthreads();
    uint32_t start = *base;
    uint32_t table = 0, level = 0;
    rest = scalar;
    for (uint32_t w = 0; w < vector.num_windows; w++) {
        int32_t digit = rest.next(digits.width);
        uint32_t lanes = __ballot_sync(MSM_ALL, digit != 0);
        uint32_t at = start + offsets[w * MSM_WARPS + warp] + __popc(lanes & ((1u << lane) - 1));
        if (digit != 0 && at < capacity) {
            uint32_t magnitude = uint32_t(digit < 0 ? -digit : digit);
            uint32_t point = table * digits.num_points + vector.first + i;
            keys[at] = ((vector.first_set + level) << (digits.width - 1)) + magnitude - 1;
            values[at] = point << 1 | uint32_t(is_negative != (digit < 0));
        }
        if (++level == digits.levels) {
            level = 0;
            table++;
        }
    }
}

/// Cuts scalars into signed digits and makes an entry of each that is not zero.
///
/// - vectors: [num_vectors], ascending by `first_block`, none empty.
/// - keys: [capacity], numbers of buckets: `2^(width-1)` in each set. What no entry is written to stays.
/// - values: [capacity], indices of points, shifted left by one; the lowest bit is set where the point is subtracted.
/// - counter: one word, zero before; the number of entries.
///
/// A window `levels * t + l` is of set `l` of its vector and takes multiple `t` of the points.
///
/// Grid: a block for each MSM_THREADS scalars of each vector. Block: MSM_THREADS. Tested, with what follows, against
/// arkworks.
KERNEL(256) msm_digits(const MsmVector* __restrict__ vectors, uint32_t* __restrict__ keys,
                       uint32_t* __restrict__ values, uint32_t* __restrict__ counter, MsmDigits digits,
                       uint32_t num_vectors, uint32_t capacity) {
    SHARED(uint32_t, offsets, MSM_MAX_WINDOWS * MSM_WARPS);
    SHARED(uint32_t, base, 1);
    MsmVector vector = block_vector(vectors, num_vectors);
    uint32_t i = (blockIdx.x - vector.first_block) * MSM_THREADS + threadIdx.x;
    bool is_there = i < vector.len;
    // Zero, with the bias added, has zero digits.
    if (vector.is_small) {
        uint64_t word = is_there ? reinterpret_cast<const uint64_t*>(vector.scalars)[i] : 0;
        bool is_negative = word >> 63;
        uint64_t magnitude = is_negative ? 0 - word : word;
        Windows<3> scalar = {{uint32_t(magnitude), uint32_t(magnitude >> 32), 0}};
        scalar.add_bias(digits.bias);
        write_entries(scalar, is_negative, vector, i, digits, keys, values, counter, capacity, offsets, base);
    } else {
        Fr word = is_there ? load(reinterpret_cast<const Fr*>(vector.scalars) + i) : Fr::zero();
        Fr canonical = from_monty(word);
        Fr opposite = neg(canonical);
        // Whichever of s and r - s is smaller.
        bool is_negative = false;
        bool is_decided = false;
#pragma unroll
        for (int k = FIELD_WORDS - 1; k >= 0; k--) {
            if (!is_decided && canonical.word[k] != opposite.word[k]) {
                is_negative = canonical.word[k] > opposite.word[k];
                is_decided = true;
            }
        }
        Windows<9> scalar;
#pragma unroll
        for (uint32_t k = 0; k < FIELD_WORDS; k++) scalar.words[k] = is_negative ? opposite.word[k] : canonical.word[k];
        scalar.words[8] = 0;
        scalar.add_bias(digits.bias);
        write_entries(scalar, is_negative, vector, i, digits, keys, values, counter, capacity, offsets, base);
    }
}
EXPORT(msm_digits, 256)

/// Entry `i`'s point with its sign.
DEVICE Affine entry_point(const Affine* points, const uint32_t* values, uint32_t i, bool from_list) {
    uint32_t value = from_list ? i << 1 : values[i];
    Affine point = load(points + (value >> 1));
    if (value & 1) point.y = neg(point.y);
    return point;
}

/// Adds up shares of sorted entries.
///
/// - points: [multiples * num_points] affine points; or, with `from_list`, [num_entries], one for each entry.
/// - keys, values: [num_entries], ascending by key; those with keys of `num_buckets` or more, at the end, are left
///   out. With `from_list`, `values` is not read.
/// - record_keys: [2 * threads]: the first and the last bucket of each thread's share.
/// - records: [2 * threads] sums: of the first bucket's entries; of the last's, unless it is the first.
/// - buckets: [num_buckets] sums: of those that begin and end within a share; others stay.
///
/// Grid: a thread for each `share` entries. Block: 128. Tested, with what follows, against arkworks.
KERNEL(128, 4) msm_accumulate(const Affine* __restrict__ points, const uint32_t* __restrict__ keys,
                              const uint32_t* __restrict__ values, uint32_t* __restrict__ record_keys,
                              Sum* __restrict__ records, Sum* __restrict__ buckets, uint32_t num_entries,
                              uint32_t share, uint32_t num_buckets, uint32_t from_list) {
    uint32_t thread = thread_index();
    uint64_t start = uint64_t(thread) * share;
    if (start >= num_entries) return;
    uint32_t first = uint32_t(start);
    uint32_t count = min(share, num_entries - first);
    uint32_t key = keys[first];
    record_keys[2 * size_t(thread)] = key;
    bool is_first = true;
    Sum sum = infinity();
    for (uint32_t i = first; i < first + count; i++) {
        uint32_t next = keys[i];
        if (next != key) {
            if (is_first) store(records + 2 * size_t(thread), sum);
            else store(buckets + key, sum);
            is_first = false;
            key = next;
            sum = infinity();
        }
        if (key >= num_buckets) break;
        accumulate(sum, entry_point(points, values, i, from_list));
    }
    record_keys[2 * size_t(thread) + 1] = key;
    store(records + 2 * size_t(thread) + (is_first ? 0 : 1), sum);
}
EXPORT(msm_accumulate, 128)

/// Joins the records of neighbouring shares, a block's into one.
///
/// - in_keys, in_records: [2 * count], as `msm_accumulate` writes them.
/// - out_keys, out_records: [2 * blocks], the same of a block's records together.
/// - buckets: [num_buckets] sums, where one is complete.
/// - is_last: the one record that is left goes to the buckets.
///
/// Grid: a block for each MSM_JOIN_THREADS records. Block: MSM_JOIN_THREADS. Shared memory: 2 * SUM_WORDS words a
/// thread, dynamic. Tested, with what follows, against arkworks.
KERNEL(128) msm_join(const uint32_t* __restrict__ in_keys, const Sum* __restrict__ in_records,
                     uint32_t* __restrict__ out_keys, Sum* __restrict__ out_records, Sum* __restrict__ buckets,
                     uint32_t count, uint32_t num_buckets, uint32_t is_last) {
    DYN_SHARED(uint32_t, words);
    SHARED(uint32_t, keys, 2 * MSM_JOIN_THREADS);
    uint32_t thread = threadIdx.x;
    SharedSums heads = {words, MSM_JOIN_THREADS};
    SharedSums tails = {words + SUM_WORDS * MSM_JOIN_THREADS, MSM_JOIN_THREADS};
    uint32_t record = blockIdx.x * MSM_JOIN_THREADS + thread;
    uint32_t here = min(MSM_JOIN_THREADS, count - blockIdx.x * MSM_JOIN_THREADS);
    if (thread < here) {
        uint32_t head = in_keys[2 * size_t(record)], tail = in_keys[2 * size_t(record) + 1];
        keys[2 * thread] = head;
        keys[2 * thread + 1] = tail;
        heads.set(thread, load(in_records + 2 * size_t(record)));
        if (head != tail) tails.set(thread, load(in_records + 2 * size_t(record) + 1));
    }
    __syncthreads();
    for (uint32_t step = 1; step < here; step *= 2) {
        uint32_t left = 2 * step * thread, right = left + step;
        if (right < here) {
            uint32_t head = keys[2 * left], end = keys[2 * left + 1];
            uint32_t begin = keys[2 * right], tail = keys[2 * right + 1];
            bool left_is_one = head == end, right_is_one = begin == tail;
            Sum sum = left_is_one ? heads.get(left) : tails.get(left);
            Sum other = heads.get(right);
            if (end == begin) {
                accumulate(sum, other);
                if (left_is_one) heads.set(left, sum);
                else if (right_is_one) tails.set(left, sum);
                else store(buckets + end, sum);
            } else {
                if (!left_is_one) store(buckets + end, sum);
                if (right_is_one) tails.set(left, other);
                else store(buckets + begin, other);
            }
            if (!right_is_one) tails.set(left, tails.get(right));
            keys[2 * left + 1] = tail;
        }
        __syncthreads();
    }
    if (thread != 0) return;
    uint32_t head = keys[0], tail = keys[1];
    if (is_last) {
        if (head < num_buckets) store(buckets + head, heads.get(0));
        if (tail != head && tail < num_buckets) store(buckets + tail, tails.get(0));
    } else {
        out_keys[2 * size_t(blockIdx.x)] = head;
        out_keys[2 * size_t(blockIdx.x) + 1] = tail;
        store(out_records + 2 * size_t(blockIdx.x), heads.get(0));
        if (tail != head) store(out_records + 2 * size_t(blockIdx.x) + 1, tails.get(0));
    }
}
EXPORT(msm_join, 128)

/// Sum of the block's `value`s, in thread 0. All threads call it; contains barriers.
///
/// - sums: a sum a thread.
DEVICE Sum block_sum(Sum value, SharedSums sums) {
    uint32_t thread = threadIdx.x;
    sums.set(thread, value);
    __syncthreads();
    for (uint32_t step = blockDim.x / 2; step > 0; step /= 2) {
        if (thread < step) {
            accumulate(value, sums.get(thread + step));
            sums.set(thread, value);
        }
        __syncthreads();
    }
    return value;
}

/// Sums of neighbouring sums, plain and by place: one step from buckets to a set's result.
///
/// - sums: [sets][blocks * threads * share], of which a block takes `threads * share`.
/// - extras: as many, or null.
/// - plain: [sets][blocks]: the sum of the block's sums.
/// - placed: [sets][blocks]: the sum of each times its place among the block's, from 0.
/// - extra: [sets][blocks]: the sum of the block's extras; not written if there are none.
/// - share: 2^log_share.
///
/// Grid: blocks times sets. Block: a power of two, at most MSM_JOIN_THREADS. Shared memory: SUM_WORDS words a
/// thread, dynamic. Tested, with what comes before, against arkworks.
KERNEL(128) msm_reduce(const Sum* __restrict__ sums, const Sum* __restrict__ extras, Sum* __restrict__ plain,
                       Sum* __restrict__ placed, Sum* __restrict__ extra, uint32_t log_share) {
    DYN_SHARED(uint32_t, words);
    SharedSums shared = {words, blockDim.x};
    uint32_t thread = threadIdx.x;
    uint32_t share = 1u << log_share;
    size_t start = (size_t(blockIdx.x) * blockDim.x + thread) << log_share;
    // Sums of the suffixes, and the sum of those.
    Sum suffix = load(sums + start + share - 1), weighted = infinity();
    for (uint32_t i = share - 1; i > 0; i--) {
        accumulate(weighted, suffix);
        accumulate(suffix, load(sums + start + i - 1));
    }
    shared.set(thread, suffix);
    __syncthreads();
    for (uint32_t step = 1; step < blockDim.x; step *= 2) {
        bool has = thread + step < blockDim.x;
        Sum other = has ? shared.get(thread + step) : infinity();
        __syncthreads();
        accumulate(suffix, other);
        shared.set(thread, suffix);
        __syncthreads();
    }
    if (thread == 0) {
        store(plain + blockIdx.x, suffix);
    } else {
        for (uint32_t i = 0; i < log_share; i++) suffix = twice(suffix);
        accumulate(weighted, suffix);
    }
    weighted = block_sum(weighted, shared);
    if (thread == 0) store(placed + blockIdx.x, weighted);
    if (extras == nullptr) return;
    Sum all = load(extras + start);
    for (uint32_t i = 1; i < share; i++) accumulate(all, load(extras + start + i));
    __syncthreads();
    all = block_sum(all, shared);
    if (thread == 0) store(extra + blockIdx.x, all);
}
EXPORT(msm_reduce, 128)

/// 2^times times each point.
///
/// - points: [count].
/// - multiples: [count] sums; zzz: [count], the last part of each.
///
/// Grid: a thread a point. Block: 128. Tested, with what follows, against arkworks.
KERNEL(128) msm_double(const Affine* __restrict__ points, Sum* __restrict__ multiples, Fq* __restrict__ zzz,
                       uint32_t count, uint32_t times) {
    uint32_t i = thread_index();
    if (i >= count) return;
    Affine point = load(points + i);
    Sum sum = infinity();
    accumulate(sum, point);
#pragma unroll 1
    for (uint32_t k = 0; k < times; k++) sum = twice(sum);
    store(multiples + i, sum);
    store(zzz + i, sum.zzz);
}
EXPORT(msm_double, 128)

/// Inverts elements, many with one inversion; those that are zero stay.
///
/// - elements: [count].
/// - before: [count], overwritten: the product of a thread's elements before each.
///
/// Grid: `threads` threads, each with the elements that many apart. Block: 128. Tested as `msm_double`.
KERNEL(128) msm_invert(Fq* __restrict__ elements, Fq* __restrict__ before, uint32_t count, uint32_t threads) {
    uint32_t thread = thread_index();
    if (thread >= threads) return;
    Fq all = Fq::one();
    uint32_t last = thread;
    for (uint32_t i = thread; i < count; i += threads) {
        Fq element = load(elements + i);
        store(before + i, all);
        if (!is_zero(element)) all = mul(all, element);
        last = i;
    }
    all = invert(all);
    for (uint32_t i = last;; i -= threads) {
        Fq element = load(elements + i);
        if (!is_zero(element)) {
            store(elements + i, mul(all, load(before + i)));
            all = mul(all, element);
        }
        if (i == thread) break;
    }
}
EXPORT(msm_invert, 128)

/// Sums as affine points.
///
/// - sums: [count]; inverses: [count], of the last part of each, 0 for infinity.
/// - points: [count].
///
/// Grid: a thread a point. Block: 128. Tested as `msm_double`.
KERNEL(128) msm_affine(const Sum* __restrict__ sums, const Fq* __restrict__ inverses, Affine* __restrict__ points,
                       uint32_t count) {
    uint32_t i = thread_index();
    if (i >= count) return;
    Sum sum = load(sums + i);
    Fq inverse = load(inverses + i);
    // ZZ / ZZZ is 1 / Z.
    Fq z = mul(sum.zz, inverse);
    store(points + i, Affine{mul(sum.x, square(z)), mul(sum.y, inverse)});
}
EXPORT(msm_affine, 128)

/// What the sum's slope is divided by, and whether there is a slope: not if one point is infinity or they are
/// opposite.
DEVICE bool pair_denominator(const Affine& a, const Affine& b, Fq& denominator) {
    if (is_infinity(a) || is_infinity(b)) return false;
    denominator = sub(b.x, a.x);
    if (!is_zero(denominator)) return true;
    denominator = twice(a.y);
    return equal(a.y, b.y);
}

/// Counts what is left of each pair of neighbouring entries: one if both are of one bucket, else those that are there.
///
/// - keys: [num_entries], ascending; those of `num_buckets` or more are not there.
/// - counts: [ceil(num_entries / 2)].
///
/// Grid: a thread a pair. Block: 256. Tested, with what follows, against arkworks.
KERNEL(256) msm_pair_count(const uint32_t* __restrict__ keys, uint32_t* __restrict__ counts, uint32_t num_entries,
                           uint32_t num_buckets) {
    uint32_t pair = thread_index();
    if (pair >= num_entries / 2 + num_entries % 2) return;
    uint32_t first = keys[2 * pair];
    uint32_t second = 2 * pair + 1 < num_entries ? keys[2 * pair + 1] : num_buckets;
    counts[pair] = uint32_t(first < num_buckets) + uint32_t(second < num_buckets && second != first);
}
EXPORT(msm_pair_count, 256)

/// Products of the denominators that adding pairs needs, for one inversion of many.
///
/// - points, keys, values, from_list: entries, as for `msm_accumulate`.
/// - before: [ceil(num_entries / 2)]: the product of the thread's denominators before each pair's.
/// - products: [threads]: of all of them.
///
/// Grid: `threads` threads, each with the pairs that many apart. Block: 128. Tested as `msm_pair_count`.
KERNEL(128) msm_pair_products(const Affine* __restrict__ points, const uint32_t* __restrict__ keys,
                              const uint32_t* __restrict__ values, Fq* __restrict__ before, Fq* __restrict__ products,
                              uint32_t num_entries, uint32_t threads, uint32_t num_buckets, uint32_t from_list) {
    uint32_t thread = thread_index();
    if (thread >= threads) return;
    Fq all = Fq::one();
    // A last entry without a second is not added to anything.
    for (uint32_t pair = thread; pair < num_entries / 2; pair += threads) {
        uint32_t key = keys[2 * pair];
        if (key >= num_buckets) break;
        if (key != keys[2 * pair + 1]) continue;
        Affine first = entry_point(points, values, 2 * pair, from_list);
        Affine second = entry_point(points, values, 2 * pair + 1, from_list);
        Fq denominator;
        if (!pair_denominator(first, second, denominator)) continue;
        store(before + pair, all);
        all = mul(all, denominator);
    }
    store(products + thread, all);
}
EXPORT(msm_pair_products, 128)

/// Adds the pairs, and copies what is not added.
///
/// - points, keys, values, from_list: entries, as for `msm_accumulate`.
/// - before: as `msm_pair_products` left it; inverses: [threads], of its products.
/// - places: [ceil(num_entries / 2)]: the sums of the counts of `msm_pair_count` before each pair.
/// - out_keys, out_points: [capacity]: the entries that are left, in the same order.
///
/// Grid, block, tests: as for `msm_pair_products`.
KERNEL(128) msm_pair_add(const Affine* __restrict__ points, const uint32_t* __restrict__ keys,
                         const uint32_t* __restrict__ values, const Fq* __restrict__ before,
                         const Fq* __restrict__ inverses, const uint32_t* __restrict__ places,
                         uint32_t* __restrict__ out_keys, Affine* __restrict__ out_points, uint32_t num_entries,
                         uint32_t threads, uint32_t num_buckets, uint32_t from_list) {
    uint32_t thread = thread_index();
    uint32_t pairs = num_entries / 2 + num_entries % 2;
    if (thread >= threads || thread >= pairs) return;
    Fq all = load_constant(inverses + thread);
    uint32_t last = thread + (pairs - 1 - thread) / threads * threads;
    for (uint32_t pair = last;; pair -= threads) {
        uint32_t key = keys[2 * pair];
        if (key < num_buckets) {
            uint32_t place = places[pair];
            uint32_t next = 2 * pair + 1 < num_entries ? keys[2 * pair + 1] : num_buckets;
            Affine first = entry_point(points, values, 2 * pair, from_list);
            if (next < num_buckets) {
                Affine second = entry_point(points, values, 2 * pair + 1, from_list);
                if (next != key) {
                    out_keys[place + 1] = next;
                    store(out_points + place + 1, second);
                } else {
                    Fq denominator;
                    if (pair_denominator(first, second, denominator)) {
                        Fq inverse = mul(all, load_constant(before + pair));
                        all = mul(all, denominator);
                        Fq rise = sub(second.y, first.y);
                        if (equal(first.x, second.x)) {
                            Fq xx = square(first.x);
                            rise = add(twice(xx), xx);
                        }
                        Fq slope = mul(rise, inverse);
                        Fq x = sub(sub(square(slope), first.x), second.x);
                        first = {x, sub(mul(slope, sub(first.x, x)), first.y)};
                    } else if (is_infinity(first)) {
                        first = second;
                    } else if (!is_infinity(second)) {
                        first = {Fq::zero(), Fq::zero()};
                    }
                }
            }
            out_keys[place] = key;
            store(out_points + place, first);
        }
        if (pair == thread) break;
    }
}
EXPORT(msm_pair_add, 128)
