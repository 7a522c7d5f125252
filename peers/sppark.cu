// The BabyBear NTT of the crate sppark, held against ours on equal work: low-degree extension of every column of a
// table that is on the device. Compiled by build/peers.rs with the feature `peers-cuda`.
//
// sppark transforms one polynomial at a time, so columns go one by one to a number of its streams.
#define FEATURE_BABY_BEAR
#include <ff/baby_bear.hpp>
using fr_t = bb31_t;
#include <ntt/ntt.cuh>
#include <util/all_gpus.cpp>

namespace {
struct Extension : NTT {
    /// One column: coefficients in bit-reversed order in place of `column`, spread over `extended` with the powers
    /// of the coset's shift, then evaluations in natural order.
    static void column(stream_t& stream, fr_t* column, fr_t* extended, uint32_t log_rows, uint32_t log_blowup) {
        const auto powers = NTTParameters::all()[stream.id()].partial_group_gen_powers;
        NTT_internal(column, log_rows, InputOutputOrder::NR, Direction::inverse, Type::standard, stream);
        LDE_launch(stream, extended, column, powers, log_rows, log_blowup);
        NTT_internal(extended, log_rows + log_blowup, InputOutputOrder::RN, Direction::forward, Type::standard, stream);
    }
};
}  // namespace

/// Extends columns on the current device and waits.
///
/// - `columns`: device address of `[num_columns][1 << log_rows]`, natural order, Montgomery words; overwritten.
/// - `extended`: device address of `[num_columns][1 << (log_rows + log_blowup)]`, natural order.
/// - `num_streams`: 1 to 3.
/// - returns: 0, or CUDA's error code.
extern "C" int rewit_sppark_lde(uint64_t columns, uint64_t extended, uint32_t log_rows, uint32_t log_blowup,
                                uint32_t num_columns, uint32_t num_streams) {
    try {
        const gpu_t& gpu = select_gpu(-1);
        for (uint32_t i = 0; i < num_columns; i++) {
            Extension::column(gpu[i % num_streams], reinterpret_cast<fr_t*>(columns) + (size_t(i) << log_rows),
                              reinterpret_cast<fr_t*>(extended) + (size_t(i) << (log_rows + log_blowup)), log_rows,
                              log_blowup);
        }
        for (uint32_t i = 0; i < num_streams; i++) gpu[i].sync();
        return 0;
    } catch (const cuda_error& error) {
        return error.code() == 0 ? -1 : error.code();
    }
}
