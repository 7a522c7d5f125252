// Records that came from elsewhere, taken apart into the words of rows and checked as replay would have made them:
// executable instructions, aligned accesses, and the gaps that their accesses have. Whether words agree is checked by
// `access.cu`.
#include "machine.cuh"

constexpr uint32_t THREADS = 256;
/// Chunks of a block that walks records.
constexpr uint32_t LANES = 64;

/// Takes records apart and checks each by itself.
///
/// - records: `[num_cycles][RECORD_WORDS]`.
/// - fields: `[10][stride]`, out but for the gaps; accessed: `[stride]`, out.
///
/// Grid: one thread a record; block: 256. Tested against `witness::adopt_records`.
KERNEL(THREADS) records_split(Code code, const uint32_t* __restrict__ records, uint32_t num_cycles,
                              uint32_t* __restrict__ fields, uint32_t stride, uint32_t* __restrict__ accessed,
                              uint32_t* __restrict__ status) {
    uint32_t row = thread_index();
    if (row >= num_cycles) return;
    const uint32_t* record = records + size_t(row) * RECORD_WORDS;
    uint32_t op_word = record[0];
    uint32_t a = record[1], b = record[2], old = record[3], rd_old = record[4];
    uint32_t step = record[5];
    uint32_t index = op_word & OP_INDEX_MASK;
    uint32_t row_kind = op_word >> ROW_KIND_SHIFT;
    Instruction op = code.at(min(index, code.num_ops));

    bool bad = false;
    for (uint32_t slot = 0; slot < NUM_SLOTS; slot++) bad = bad || record[5 + slot] >> 24 != 0;
    uint32_t word = NO_WORD, after = 0;
    if (index >= code.num_ops) {
        report(status, row, ERROR_NOT_EXECUTABLE, code.base + 4 * index);
        bad = true;
    } else if (row_kind == ROW_KIND_INSTRUCTION) {
        bad = bad || !op.executable();
        bool transfers = op.cls() == CLASS_ECALL && (a == SYS_READ || a == SYS_WRITE);
        bad = bad || (transfers && old > MAX_TRANSFER_BYTES);
        if (op.executable() && (op.is_load() || op.is_store())) {
            uint32_t addr = a + op.imm;
            if (addr & op.align_mask()) report(status, row, ERROR_MISALIGNED, addr);
            word = addr >> 2;
            after = op.is_store() ? store_merge(op.cls(), addr, old, b) : old;
        }
    } else {
        bad = bad || rd_old > MAX_TRANSFER_BYTES || row_kind > ROW_KIND_MOVE_OUT_WORD;
        if (row_kind != ROW_KIND_SETUP) {
            bad = bad || (step != 0 && step != 1 && step != 4);
            uint32_t addr = a + step;
            bool whole = row_kind == ROW_KIND_MOVE_IN_WORD || row_kind == ROW_KIND_MOVE_OUT_WORD;
            if (whole && (addr & 3) != 0) report(status, row, ERROR_MISALIGNED, addr);
            word = addr >> 2;
            after = move_merge(row_kind, addr, old, b);
        }
    }
    if (bad) {
        report(status, row, ERROR_BAD_RECORD, 0);
        op_word = NO_ROW;
        word = NO_WORD;
    }
    fields[size_t(FIELD_OP) * stride + row] = op_word;
    fields[size_t(FIELD_A) * stride + row] = a;
    fields[size_t(FIELD_B) * stride + row] = b;
    fields[size_t(FIELD_OLD) * stride + row] = old;
    fields[size_t(FIELD_RD_OLD) * stride + row] = rd_old;
    fields[size_t(FIELD_AFTER) * stride + row] = after;
    accessed[row] = word;
}
EXPORT(records_split, THREADS)

/// Register gaps of records, chunk by chunk, as replay would have made them.
///
/// - records: `[num_cycles][RECORD_WORDS]`, of which moves keep their distance from the unit before.
/// - fields: `[10][stride]` from `records_split`; the gaps of slots 0, 1 and 3 are written.
/// - first, last: `[32][num_chunks]`, as for `replay_chunks`.
///
/// Grid: one thread a chunk; block: 64; shared memory: 8 KiB. Tested against `witness::adopt_records`.
KERNEL(LANES) records_walk(Code code, const uint32_t* __restrict__ records, uint32_t num_chunks, uint32_t log_chunk,
                           uint32_t num_cycles, uint32_t* __restrict__ fields, uint32_t stride,
                           uint32_t* __restrict__ first, uint32_t* __restrict__ last) {
    SHARED(uint32_t, times, 32 * LANES);
    uint32_t chunk = thread_index();
    if (chunk >= num_chunks) return;
    uint32_t lane = threadIdx.x;
    for (uint32_t reg = 0; reg < 32; reg++) times[reg * LANES + lane] = 0;
    auto touch = [&](uint32_t reg, uint32_t now) {
        uint32_t before = times[reg * LANES + lane];
        times[reg * LANES + lane] = now;
        if (before == 0) first[size_t(reg) * num_chunks + chunk] = now;
        return now - before - 1;
    };
    uint32_t first_row = chunk << log_chunk;
    uint32_t end_row = min(num_cycles, first_row + (1u << log_chunk));
    for (uint32_t row = first_row; row < end_row; row++) {
        uint32_t op_word = fields[size_t(FIELD_OP) * stride + row];
        uint32_t gaps[3] = {0, 0, 0};
        uint32_t row_kind = op_word >> ROW_KIND_SHIFT;
        if (row_kind == ROW_KIND_INSTRUCTION) {
            Instruction op = code.at(op_word & OP_INDEX_MASK);
            if (op.reads1()) gaps[0] = touch(op.rs1(), timestamp(row, 0));
            if (op.reads2()) gaps[1] = touch(op.rs2(), timestamp(row, 1));
            if (op.writes()) gaps[2] = touch(op.rd(), timestamp(row, 3));
        } else if (row_kind == ROW_KIND_SETUP) {
            gaps[0] = touch(11, timestamp(row, 0));
            gaps[1] = touch(12, timestamp(row, 1));
        } else {
            gaps[0] = records[size_t(row) * RECORD_WORDS + 5];
        }
        fields[size_t(FIELD_GAP) * stride + row] = gaps[0];
        fields[size_t(FIELD_GAP + 1) * stride + row] = gaps[1];
        fields[size_t(FIELD_GAP + 3) * stride + row] = gaps[2];
    }
    for (uint32_t reg = 0; reg < 32; reg++) {
        uint32_t time = times[reg * LANES + lane];
        last[size_t(reg) * num_chunks + chunk] = time;
        if (time == 0) first[size_t(reg) * num_chunks + chunk] = 0;
    }
}
EXPORT(records_walk, LANES)

/// Compares the gaps that records came with to those of their accesses.
///
/// - records: `[num_cycles][RECORD_WORDS]`; fields: `[10][stride]`, complete; accessed: `[stride]`.
///
/// Grid: one thread a record; block: 256.
KERNEL(THREADS) records_compare(const uint32_t* __restrict__ records, uint32_t num_cycles,
                                const uint32_t* __restrict__ fields, uint32_t stride,
                                const uint32_t* __restrict__ accessed, uint32_t* __restrict__ status) {
    uint32_t row = thread_index();
    if (row >= num_cycles) return;
    const uint32_t* gaps = records + size_t(row) * RECORD_WORDS + 5;
    bool same = true;
    for (uint32_t slot = 0; slot < NUM_SLOTS; slot++) {
        bool used = slot != 2 || accessed[row] != NO_WORD;
        uint32_t gap = used ? fields[size_t(FIELD_GAP + slot) * stride + row] : 0;
        same = same && gap == gaps[slot];
    }
    if (!same) report(status, row, ERROR_GAPS, 0);
}
EXPORT(records_compare, THREADS)

/// Where a row's cycle leaves the program counter.
DEVICE uint32_t next_pc(Code code, uint32_t op_word, uint32_t a, uint32_t b, uint32_t rd_old) {
    uint32_t index = op_word & OP_INDEX_MASK;
    uint32_t pc = code.base + 4 * index;
    Instruction op = code.at(min(index, code.num_ops));
    uint32_t cls = op.cls();
    if (op_word >> ROW_KIND_SHIFT != ROW_KIND_INSTRUCTION) return rd_old != 0 ? pc : pc + 4;
    if (cls == CLASS_ECALL) return a == SYS_READ || a == SYS_WRITE ? pc : pc + 4;
    if (cls == CLASS_JAL) return op.imm;
    if (cls == CLASS_JALR) return (a + op.imm) & ~1u;
    bool taken = cls - CLASS_BEQ <= CLASS_BGE - CLASS_BEQ && branch_taken(op, a, b);
    return taken ? op.imm : pc + 4;
}

/// Checks that records start and end in the segment's states: program counter and registers. The first difference, in
/// the order start pc, end pc, x0 to x31 after, x0 to x31 before, goes to the status.
///
/// - fields: `[10][stride]`; num_cycles: at least 1.
/// - states: `[2][STATE_WORDS]`, the segment's start and end.
/// - register_first, register_last: `[32]` from `access_fix`.
///
/// Grid: 1; block: 64. Tested against `witness::adopt_records`.
KERNEL(LANES) records_ends(Code code, const uint32_t* __restrict__ fields, uint32_t stride, uint32_t num_cycles,
                           const uint32_t* __restrict__ states, const uint32_t* __restrict__ register_first,
                           const uint32_t* __restrict__ register_last, uint32_t* __restrict__ status) {
    uint32_t reg = threadIdx.x;
    auto field = [&](uint32_t which, uint32_t row) { return fields[size_t(which) * stride + row]; };
    const uint32_t* end = states + STATE_WORDS;
    if (reg == 0) {
        uint32_t row = num_cycles - 1;
        if (code.base + 4 * (field(FIELD_OP, 0) & OP_INDEX_MASK) != states[STATE_PC]) atomicMin(status + STATUS_ENDS, 0u);
        uint32_t pc = next_pc(code, field(FIELD_OP, row), field(FIELD_A, row), field(FIELD_B, row),
                              field(FIELD_RD_OLD, row));
        if (pc != end[STATE_PC]) atomicMin(status + STATUS_ENDS, 1u);
    }
    if (reg >= 32) return;
    uint32_t before = end[STATE_X + reg];
    uint32_t time = register_last[reg];
    if (time != 0) {
        uint32_t row = (time - 1) / 4;
        uint32_t slot = (time - 1) % 4;
        uint32_t after = slot == 0 ? field(FIELD_A, row) : field(FIELD_B, row);
        if (slot == 3) {
            uint32_t index = min(field(FIELD_OP, row) & OP_INDEX_MASK, code.num_ops);
            Instruction op = code.at(index);
            uint32_t cls = op.cls();
            uint32_t a = field(FIELD_A, row);
            after = compute(op, a, op.use_imm() ? op.imm : field(FIELD_B, row));
            if (cls == CLASS_ECALL) after = field(FIELD_OLD, row);
            if (cls == CLASS_JAL || cls == CLASS_JALR) after = code.base + 4 * index + 4;
            if (op.is_load()) after = load_value(cls, op.is_signed(), a + op.imm, field(FIELD_OLD, row));
        }
        if (after != before) atomicMin(status + STATUS_ENDS, 2 + reg);
    }
    time = register_first[reg];
    if (time != 0) {
        uint32_t row = (time - 1) / 4;
        uint32_t slot = (time - 1) % 4;
        before = field(slot == 0 ? FIELD_A : slot == 1 ? FIELD_B : FIELD_RD_OLD, row);
    }
    if (before != states[STATE_X + reg]) atomicMin(status + STATUS_ENDS, 34 + reg);
}
EXPORT(records_ends, LANES)
