// Opening committed matrices at points outside their domain, and the quotients that FRI tests.
//
// Matrices are low-degree extensions over the coset 31 * K, column-major, rows bit-reversed: row i is at
// x_i = 31 * (product over the set bits k of i of a primitive 2^(k+1)-th root), whatever the height. So the first
// rows of a column are its evaluations over a smaller coset, and one table of 1/(z - x_i) serves every height.
#include "ext.cuh"

/// What 1/(z - x) is computed from: z's characteristic polynomial over the base field, of degree D and monic, and
/// its quotient by X - z, of degree D - 1 and monic. Their leading ones are left out; lowest coefficient first.
template <int D>
struct Denominator {
    uint32_t norm[D];
    Ext<D> quotient[D - 1];
};

/// Rows that one thread of `open_inverses` inverts with one inversion.
constexpr int INVERSES = 8;

/// For x of the base field, norm(x) is the norm of x - z, and 1/(z - x) = -quotient(x) / norm(x): the only
/// inversions are of the base field, one for INVERSES rows.
template <int D>
DEVICE void inverses(const uint32_t* __restrict__ tables, Denominator<D> z, uint32_t rows,
                     uint32_t* __restrict__ output) {
    uint32_t first = blockIdx.x * blockDim.x * INVERSES + threadIdx.x;
    uint32_t x[INVERSES], norm[INVERSES], before[INVERSES];
    uint32_t all = ONE;
#pragma unroll
    for (int i = 0; i < INVERSES; i++) {
        uint32_t row = first + i * blockDim.x;
        x[i] = bit_product(tables, min(row, rows - 1));
        uint32_t value = add(x[i], z.norm[D - 1]);
#pragma unroll
        for (int k = D - 2; k >= 0; k--) value = add(mul(value, x[i]), z.norm[k]);
        norm[i] = value;
        before[i] = all;
        all = mul(all, value);
    }
    all = sub(0, invert(all));
#pragma unroll
    for (int i = INVERSES - 1; i >= 0; i--) {
        uint32_t row = first + i * blockDim.x;
        uint32_t inverse = mul(all, before[i]);
        all = mul(all, norm[i]);
        Ext<D> value = z.quotient[D - 2];
        value.c[0] = add(value.c[0], x[i]);
#pragma unroll
        for (int k = D - 3; k >= 0; k--) value = add(scale(value, x[i]), z.quotient[k]);
        value = scale(value, inverse);
        if (row < rows) {
#pragma unroll
            for (int k = 0; k < D; k++) output[size_t(k) * rows + row] = value.c[k];
        }
    }
}

/// 1 / (z - x_i) for the first rows of the coset, degree 4.
///
/// - tables: [3][512], from which `bit_product` makes x_i.
/// - z: not in the coset.
/// - output: [4][rows].
///
/// Grid: one thread for 8 rows; block: 256; no shared memory.
/// Oracle: the inverses of Plonky3's extension field.
KERNEL(256) open_inverses_4(const uint32_t* __restrict__ tables, Denominator<4> z, uint32_t rows,
                            uint32_t* __restrict__ output) {
    inverses<4>(tables, z, rows, output);
}
EXPORT(open_inverses_4, 256)

/// As `open_inverses_4`, degree 5.
KERNEL(256) open_inverses_5(const uint32_t* __restrict__ tables, Denominator<5> z, uint32_t rows,
                            uint32_t* __restrict__ output) {
    inverses<5>(tables, z, rows, output);
}
EXPORT(open_inverses_5, 256)

/// Four words from `row`, a multiple of four, on; zeros past the end of fewer than four.
DEVICE uint4 load_four(const uint32_t* __restrict__ column, uint32_t row, uint32_t rows) {
    if (rows >= 4) return __ldg(reinterpret_cast<const uint4*>(column + row));
    return make_uint4(__ldg(column), rows > 1 ? __ldg(column + 1) : 0, 0, 0);
}

/// A point at which columns are evaluated.
template <int D>
struct Point {
    /// Words from one coefficient of its table of 1/(z - x_i) to the next.
    uint32_t stride;
    /// 1 / z.
    Ext<D> inverse;
};

/// Columns that one warp of `open_columns` evaluates.
constexpr int COLUMNS = 4;

/// Adds values from START on up over the warp's lanes, and writes those before `limit`.
///
/// Each step halves both the lanes a sum is spread over and the values a lane holds, so N values take N - 1 shuffles
/// and one more for each factor of two that N is below 32.
template <int START, int VALUES>
DEVICE void warp_sums(const uint32_t (&values)[VALUES], uint32_t lane, uint32_t* __restrict__ output, uint32_t limit) {
    constexpr int LEFT = VALUES - START;
    constexpr int N = LEFT >= 32 ? 32 : LEFT >= 16 ? 16 : LEFT >= 8 ? 8 : LEFT >= 4 ? 4 : LEFT >= 2 ? 2 : 1;
    constexpr int LOG_LANES = N == 32 ? 0 : N == 16 ? 1 : N == 8 ? 2 : N == 4 ? 3 : N == 2 ? 4 : 5;
    uint32_t sums[N];
#pragma unroll
    for (int i = 0; i < N; i++) sums[i] = values[START + i];
#pragma unroll
    for (int step = 0; step < 5; step++) {
        int distance = 16 >> step, half = N >> (step + 1);
        if (half > 0) {
            bool upper = (lane & distance) != 0;
#pragma unroll
            for (int i = 0; i < N / 2; i++) {
                if (i < half) {
                    uint32_t send = upper ? sums[i] : sums[i + half];
                    uint32_t keep = upper ? sums[i + half] : sums[i];
                    sums[i] = add(keep, __shfl_xor_sync(0xffffffffu, send, distance));
                }
            }
        } else {
            sums[0] = add(sums[0], __shfl_xor_sync(0xffffffffu, sums[0], distance));
        }
    }
    uint32_t index = START + (lane >> LOG_LANES);
    if ((lane & ((1 << LOG_LANES) - 1)) == 0 && index < limit) output[index] = sums[0];
    if constexpr (LEFT > N) warp_sums<START + N>(values, lane, output, limit);
}

/// One warp: four columns over one part of the rows, at all points, four rows a lane and step; the weights of a row
/// are loaded once for four columns, and neighbouring warps take the same rows. Sums of products are reduced at the
/// end only: per word of the matrix and point D wide multiply-adds and D/2 minima.
template <int D, int POINTS>
DEVICE void columns(const uint32_t* __restrict__ matrix, uint32_t stride, uint32_t width, uint32_t rows,
                    uint32_t parts, const uint32_t* const (&inverses)[POINTS], const Point<D> (&points)[POINTS],
                    uint32_t* __restrict__ output) {
    constexpr int VALUES = COLUMNS * POINTS * D;
    uint32_t lane = threadIdx.x & 31;
    uint32_t warp = thread_index() >> 5;
    uint32_t quads = (width + COLUMNS - 1) / COLUMNS;
    uint32_t part = warp / quads;
    if (part >= parts) return;
    uint32_t column = (warp - part * quads) * COLUMNS;
    const uint32_t* source[COLUMNS];
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) source[c] = matrix + size_t(min(column + c, width - 1)) * stride;

    uint64_t sums[COLUMNS][POINTS][D];
#pragma unroll
    for (int c = 0; c < COLUMNS; c++)
#pragma unroll
        for (int p = 0; p < POINTS; p++)
#pragma unroll
            for (int k = 0; k < D; k++) sums[c][p][k] = 0;

    uint32_t end = (part + 1) * (rows / parts);
    for (uint32_t row = part * (rows / parts) + lane * 4; row < end; row += 128) {
        uint4 cells[COLUMNS];
#pragma unroll
        for (int c = 0; c < COLUMNS; c++) cells[c] = load_four(source[c], row, rows);
#pragma unroll
        for (int p = 0; p < POINTS; p++) {
#pragma unroll
            for (int k = 0; k < D; k++) {
                uint4 weight = load_four(inverses[p] + size_t(k) * points[p].stride, row, rows);
                uint32_t back = points[p].inverse.c[k];
                weight = make_uint4(sub(weight.x, back), sub(weight.y, back), sub(weight.z, back),
                                    sub(weight.w, back));
#pragma unroll
                for (int c = 0; c < COLUMNS; c++) {
                    uint64_t sum = sums[c][p][k];
                    sum = settle(sum + product(weight.x, cells[c].x) + product(weight.y, cells[c].y));
                    sum = settle(sum + product(weight.z, cells[c].z) + product(weight.w, cells[c].w));
                    sums[c][p][k] = sum;
                }
            }
        }
    }

    uint32_t values[VALUES];
#pragma unroll
    for (int v = 0; v < VALUES; v++) values[v] = reduce(sums[v / (POINTS * D)][v / D % POINTS][v % D]);
    // The last quad may reach past the last column.
    uint32_t first = column * POINTS * D, words = width * POINTS * D;
    warp_sums<0>(values, lane, output + size_t(part) * words + first, words - first);
}

/// Sums of (1/(z - x_i) - 1/z) * column[i] over the rows of each part, at one point, degree 4: times
/// z (z^n - 31^n) / (n 31^n) and added up over the parts, the value of each column's polynomial at z.
///
/// - matrix: [width][stride], of whose columns the first `rows`, a power of two, are taken.
/// - parts: a power of two; each has at least 128 rows unless it is the only one.
/// - inverses0: [4][point0.stride] from `open_inverses_4`.
/// - output: [parts][width][1][4].
///
/// Grid: one warp for four columns and a part; block: 128; no shared memory.
/// Oracle: Plonky3's interpolation.
KERNEL(128) open_columns_4_1(const uint32_t* __restrict__ matrix, uint32_t stride, uint32_t width, uint32_t rows,
                             uint32_t parts, const uint32_t* __restrict__ inverses0, Point<4> point0,
                             uint32_t* __restrict__ output) {
    const uint32_t* const inverses[1] = {inverses0};
    const Point<4> points[1] = {point0};
    columns<4, 1>(matrix, stride, width, rows, parts, inverses, points, output);
}
EXPORT(open_columns_4_1, 128)

/// As `open_columns_4_1`, at two points; output: [parts][width][2][4].
KERNEL(128) open_columns_4_2(const uint32_t* __restrict__ matrix, uint32_t stride, uint32_t width, uint32_t rows,
                             uint32_t parts, const uint32_t* __restrict__ inverses0, Point<4> point0,
                             const uint32_t* __restrict__ inverses1, Point<4> point1,
                             uint32_t* __restrict__ output) {
    const uint32_t* const inverses[2] = {inverses0, inverses1};
    const Point<4> points[2] = {point0, point1};
    columns<4, 2>(matrix, stride, width, rows, parts, inverses, points, output);
}
EXPORT(open_columns_4_2, 128)

/// As `open_columns_4_1`, degree 5; output: [parts][width][1][5].
KERNEL(128) open_columns_5_1(const uint32_t* __restrict__ matrix, uint32_t stride, uint32_t width, uint32_t rows,
                             uint32_t parts, const uint32_t* __restrict__ inverses0, Point<5> point0,
                             uint32_t* __restrict__ output) {
    const uint32_t* const inverses[1] = {inverses0};
    const Point<5> points[1] = {point0};
    columns<5, 1>(matrix, stride, width, rows, parts, inverses, points, output);
}
EXPORT(open_columns_5_1, 128)

/// As `open_columns_4_1`, degree 5, at two points; output: [parts][width][2][5].
KERNEL(128) open_columns_5_2(const uint32_t* __restrict__ matrix, uint32_t stride, uint32_t width, uint32_t rows,
                             uint32_t parts, const uint32_t* __restrict__ inverses0, Point<5> point0,
                             const uint32_t* __restrict__ inverses1, Point<5> point1,
                             uint32_t* __restrict__ output) {
    const uint32_t* const inverses[2] = {inverses0, inverses1};
    const Point<5> points[2] = {point0, point1};
    columns<5, 2>(matrix, stride, width, rows, parts, inverses, points, output);
}
EXPORT(open_columns_5_2, 128)

/// Adds up what `open_columns` left for each part.
///
/// - parts: [num_parts][words].
/// - output: [words].
///
/// Grid: one warp a word, since narrow matrices have thousands of parts; block: 256; no shared memory. Oracle: as for
/// `open_columns_4_1`.
KERNEL(256) open_sum(const uint32_t* __restrict__ parts, uint32_t num_parts, uint32_t words,
                     uint32_t* __restrict__ output) {
    uint32_t word = thread_index() >> 5;
    uint32_t lane = threadIdx.x & 31;
    // Whole warps leave.
    if (word >= words) return;
    uint32_t sum = 0;
    for (uint32_t part = lane; part < num_parts; part += 32) sum = add(sum, parts[size_t(part) * words + word]);
    for (uint32_t distance = 16; distance != 0; distance /= 2) {
        sum = add(sum, __shfl_xor_sync(0xffffffffu, sum, int(distance)));
    }
    if (lane == 0) output[word] = sum;
}
EXPORT(open_sum, 256)

/// A matrix of the height being reduced.
struct Term {
    /// Address of its words, [width][rows].
    uint64_t address;
    uint32_t width;
    uint32_t unused;
    /// For each of two points, the sum of the powers of alpha that its first column has at that point.
    uint32_t weight[2][8];
};
static_assert(sizeof(Term) == 80, "the host writes terms of 80 bytes");

/// Power k of alpha; powers: [width][4 or 8], padded to whole vectors.
template <int D>
DEVICE Ext<D> load_power(const uint32_t* __restrict__ powers, uint32_t k) {
    constexpr int STRIDE = D == 4 ? 4 : 8;
    uint4 low = __ldg(reinterpret_cast<const uint4*>(powers + size_t(k) * STRIDE));
    Ext<D> result;
    result.c[0] = low.x;
    result.c[1] = low.y;
    result.c[2] = low.z;
    result.c[3] = low.w;
    if (D == 5) result.c[D - 1] = __ldg(powers + size_t(k) * STRIDE + 4);
    return result;
}

/// Two rows a thread: columns are read coalesced, once for all points; powers of alpha come through the cache, the
/// same for a whole warp. Per word of a matrix D wide multiply-adds and D/2 minima.
template <int D, int POINTS>
DEVICE void reduce_rows(const Term* __restrict__ terms, uint32_t num_terms, const uint32_t* __restrict__ powers,
                        uint32_t rows, const uint32_t* const (&inverses)[POINTS], const Point<D> (&points)[POINTS],
                        uint32_t accumulate, uint32_t* __restrict__ output) {
    uint32_t row = thread_index() * 2;
    if (row >= rows) return;
    // For each point and row: what the claimed values come to, less what the row comes to.
    Ext<D> rest[POINTS][2];
#pragma unroll
    for (int p = 0; p < POINTS; p++) rest[p][0] = rest[p][1] = points[p].inverse;

    for (uint32_t t = 0; t < num_terms; t++) {
        const uint32_t* cells = reinterpret_cast<const uint32_t*>(terms[t].address) + row;
        uint32_t width = terms[t].width;
        uint64_t sums[2][D] = {};
        uint32_t k = 0;
        for (; k + 4 <= width; k += 4) {
            uint2 cell[4];
#pragma unroll
            for (int i = 0; i < 4; i++)
                cell[i] = __ldg(reinterpret_cast<const uint2*>(cells + size_t(k + i) * rows));
#pragma unroll
            for (int i = 0; i < 4; i += 2) {
                Ext<D> power0 = load_power<D>(powers, k + i), power1 = load_power<D>(powers, k + i + 1);
#pragma unroll
                for (int j = 0; j < D; j++) {
                    sums[0][j] = settle(sums[0][j] + product(power0.c[j], cell[i].x) +
                                        product(power1.c[j], cell[i + 1].x));
                    sums[1][j] = settle(sums[1][j] + product(power0.c[j], cell[i].y) +
                                        product(power1.c[j], cell[i + 1].y));
                }
            }
        }
        for (; k < width; k++) {
            uint2 cell = __ldg(reinterpret_cast<const uint2*>(cells + size_t(k) * rows));
            Ext<D> power = load_power<D>(powers, k);
#pragma unroll
            for (int j = 0; j < D; j++) {
                sums[0][j] = settle(sums[0][j] + product(power.c[j], cell.x));
                sums[1][j] = settle(sums[1][j] + product(power.c[j], cell.y));
            }
        }
#pragma unroll
        for (int r = 0; r < 2; r++) {
            Ext<D> sum;
#pragma unroll
            for (int j = 0; j < D; j++) sum.c[j] = reduce(sums[r][j]);
#pragma unroll
            for (int p = 0; p < POINTS; p++) {
                Ext<D> weight;
#pragma unroll
                for (int j = 0; j < D; j++) weight.c[j] = terms[t].weight[p][j];
                rest[p][r] = sub(rest[p][r], mul(weight, sum));
            }
        }
    }

    Ext<D> total[2] = {};
#pragma unroll
    for (int p = 0; p < POINTS; p++) {
        Ext<D> inverse[2];
#pragma unroll
        for (int k = 0; k < D; k++) {
            uint2 pair = __ldg(reinterpret_cast<const uint2*>(inverses[p] + size_t(k) * points[p].stride + row));
            inverse[0].c[k] = pair.x;
            inverse[1].c[k] = pair.y;
        }
#pragma unroll
        for (int r = 0; r < 2; r++) total[r] = add(total[r], mul(inverse[r], rest[p][r]));
    }

    uint2* target = reinterpret_cast<uint2*>(output + size_t(row) * D);
#pragma unroll
    for (int k = 0; k < D; k++) {
        uint2 pair = make_uint2(total[2 * k / D].c[2 * k % D], total[(2 * k + 1) / D].c[(2 * k + 1) % D]);
        if (accumulate) {
            uint2 old = target[k];
            pair = make_uint2(add(old.x, pair.x), add(old.y, pair.y));
        }
        target[k] = pair;
    }
}

/// The input of FRI for one height: for each row, over points z, (claims_z - sum over matrices and columns of their
/// weight at z, times alpha^column, times the cell) / (z - x_row), at one point, degree 4.
///
/// - terms: [num_terms], the matrices of this height, each [width][rows].
/// - powers: [widest][4], powers of alpha.
/// - rows: even.
/// - inverses0: [4][point0.stride]; `point0.inverse` holds claims_z instead of 1/z.
/// - accumulate: whether to add to the output.
/// - output: [rows][4].
///
/// Grid: one thread for two rows; block: 256; no shared memory.
/// Oracle: FRI's first commitment in Plonky3's proof.
KERNEL(256) open_reduce_4_1(const Term* __restrict__ terms, uint32_t num_terms, const uint32_t* __restrict__ powers,
                            uint32_t rows, const uint32_t* __restrict__ inverses0, Point<4> point0,
                            uint32_t accumulate, uint32_t* __restrict__ output) {
    const uint32_t* const inverses[1] = {inverses0};
    const Point<4> points[1] = {point0};
    reduce_rows<4, 1>(terms, num_terms, powers, rows, inverses, points, accumulate, output);
}
EXPORT(open_reduce_4_1, 256)

/// As `open_reduce_4_1`, at two points.
KERNEL(256) open_reduce_4_2(const Term* __restrict__ terms, uint32_t num_terms, const uint32_t* __restrict__ powers,
                            uint32_t rows, const uint32_t* __restrict__ inverses0, Point<4> point0,
                            const uint32_t* __restrict__ inverses1, Point<4> point1, uint32_t accumulate,
                            uint32_t* __restrict__ output) {
    const uint32_t* const inverses[2] = {inverses0, inverses1};
    const Point<4> points[2] = {point0, point1};
    reduce_rows<4, 2>(terms, num_terms, powers, rows, inverses, points, accumulate, output);
}
EXPORT(open_reduce_4_2, 256)

/// As `open_reduce_4_1`, degree 5; powers: [widest][8], of which the first five count; output: [rows][5].
KERNEL(256) open_reduce_5_1(const Term* __restrict__ terms, uint32_t num_terms, const uint32_t* __restrict__ powers,
                            uint32_t rows, const uint32_t* __restrict__ inverses0, Point<5> point0,
                            uint32_t accumulate, uint32_t* __restrict__ output) {
    const uint32_t* const inverses[1] = {inverses0};
    const Point<5> points[1] = {point0};
    reduce_rows<5, 1>(terms, num_terms, powers, rows, inverses, points, accumulate, output);
}
EXPORT(open_reduce_5_1, 256)

/// As `open_reduce_5_1`, at two points.
KERNEL(256) open_reduce_5_2(const Term* __restrict__ terms, uint32_t num_terms, const uint32_t* __restrict__ powers,
                            uint32_t rows, const uint32_t* __restrict__ inverses0, Point<5> point0,
                            const uint32_t* __restrict__ inverses1, Point<5> point1, uint32_t accumulate,
                            uint32_t* __restrict__ output) {
    const uint32_t* const inverses[2] = {inverses0, inverses1};
    const Point<5> points[2] = {point0, point1};
    reduce_rows<5, 2>(terms, num_terms, powers, rows, inverses, points, accumulate, output);
}
EXPORT(open_reduce_5_2, 256)

/// The first rows of a matrix, row-major, in natural order: row i is the matrix's with the bits of i reversed.
///
/// - matrix: [width][stride], rows bit-reversed.
/// - log_rows: base-2 logarithm of the number of rows taken.
/// - output: [2^log_rows][width].
///
/// Grid: x one block for 32 rows, y one for 32 columns; block: 256; shared memory: 4.1 KiB, static.
/// Oracle: Plonky3's view of the same rows.
KERNEL(256) open_rows(const uint32_t* __restrict__ matrix, uint32_t stride, uint32_t width, uint32_t log_rows,
                      uint32_t* __restrict__ output) {
    SHARED(uint32_t, tile, 32 * 33);
    uint32_t x = threadIdx.x & 31, y = threadIdx.x >> 5;
    uint32_t rows = 1u << log_rows, row = blockIdx.x * 32, column = blockIdx.y * 32;
    for (uint32_t i = y; i < 32; i += 8) {
        if (row + x < rows && column + i < width) tile[i * 33 + x] = matrix[size_t(column + i) * stride + row + x];
    }
    __syncthreads();
    for (uint32_t i = y; i < 32; i += 8) {
        uint32_t target = row + i;
        if (target < rows && column + x < width) {
            if (log_rows != 0) target = __brev(target) >> (32 - log_rows);
            output[size_t(target) * width + column + x] = tile[x * 33 + i];
        }
    }
}
EXPORT(open_rows, 256)
