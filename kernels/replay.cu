// Replay: each chunk of a minimal trace is executed again from its checkpoint and the words it read, one thread a chunk.
// A row's words are written structure of arrays, and the times of register accesses are kept so that `access.cu` can
// join the chunks.
#include "machine.cuh"

/// Chunks of a block.
constexpr uint32_t LANES = 64;
/// Rows that a thread gathers before it writes them, 16 bytes a field.
constexpr uint32_t GROUP = 4;
/// Words gathered of a row: all fields but the memory gap, and the number of the word accessed.
constexpr uint32_t GATHERED = 10;

/// What one cycle leaves.
struct Row {
    uint32_t op, a, b, old, rd_old, gap0, gap1, gap3, after, word;
};

/// Registers and times of one chunk, in shared memory: `[32][LANES]`, so that lanes do not collide.
struct Registers {
    uint32_t* x;
    uint32_t* times;
    uint32_t* first;
    uint32_t num_chunks;

    /// An access of a register at `now`; returns its gap within the chunk.
    DEVICE uint32_t touch(uint32_t reg, uint32_t now) {
        uint32_t last = times[reg * LANES];
        times[reg * LANES] = now;
        if (last == 0) first[size_t(reg) * num_chunks] = now;
        return now - last - 1;
    }
    DEVICE uint32_t& value(uint32_t reg) { return x[reg * LANES]; }
};

/// One chunk being replayed.
struct Replayer {
    Machine m;
    Registers regs;
    const uint32_t* words;
    uint32_t position, end;
    uint32_t* status;
    uint32_t row;

    DEVICE bool fail(uint32_t code, uint32_t detail) {
        report(status, row, code, detail);
        return false;
    }
    DEVICE bool word(uint32_t& value) {
        if (position >= end) return fail(ERROR_OUT_OF_WORDS, 0);
        value = __ldg(words + position);
        position++;
        return true;
    }
    DEVICE void write(uint32_t reg, uint32_t value, Row& out) {
        out.gap3 = regs.touch(reg, timestamp(row, 3));
        out.rd_old = regs.value(reg);
        regs.value(reg) = value;
    }

    /// The `ecall` cycle. What the call returned is a value read.
    DEVICE bool ecall(Row& out) {
        if (m.halted != 0) return fail(ERROR_HALTED, 0);
        out.a = regs.value(17);
        out.gap0 = regs.touch(17, timestamp(row, 0));
        out.b = regs.value(10);
        out.gap1 = regs.touch(10, timestamp(row, 1));
        if (!word(out.old)) return false;
        write(10, out.old, out);
        out.rd_old = 0;
        if (out.a == SYS_READ || out.a == SYS_WRITE) {
            if (out.old > MAX_TRANSFER_BYTES) return fail(ERROR_TRANSFER_TOO_LONG, 0);
            m.io_phase = IO_PHASE_SETUP;
            m.io_fd = out.b;
            m.io_left = out.old;
        } else if (out.a == SYS_EXIT || out.a == SYS_EXIT_GROUP) {
            m.halted = 1;
        } else if (out.a == SYS_BRK) {
            m.brk = out.old;
        }
        if (m.io_phase == IO_PHASE_NONE) m.pc += 4;
        return true;
    }

    /// A setup or move cycle.
    DEVICE bool transfer(Row& out) {
        uint32_t kind = ROW_KIND_SETUP;
        if (m.io_phase == IO_PHASE_SETUP) {
            out.a = regs.value(11);
            out.gap0 = regs.touch(11, timestamp(row, 0));
            out.b = regs.value(12);
            out.gap1 = regs.touch(12, timestamp(row, 1));
            m.io_ptr = out.a;
        } else {
            uint32_t ptr = m.io_ptr;
            uint32_t size = m.unit();
            // The unit before: bytes up to the first aligned address, then words, then bytes.
            uint32_t moved = ptr - regs.value(11);
            uint32_t step = row == 0 || moved == 0 ? 0 : moved >= 4 && (ptr & 3) == 0 ? 4 : 1;
            out.a = ptr - step;
            out.gap0 = step;
            if (!word(out.old)) return false;
            if (m.io_fd == 0) {
                if (!word(out.b)) return false;
                kind = size == 4 ? ROW_KIND_MOVE_IN_WORD : ROW_KIND_MOVE_IN_BYTE;
                m.input_pos += size;
            } else {
                kind = size == 4 ? ROW_KIND_MOVE_OUT_WORD : ROW_KIND_MOVE_OUT_BYTE;
            }
            out.after = move_merge(kind, ptr, out.old, out.b);
            out.word = ptr >> 2;
            m.io_ptr = ptr + size;
            m.io_left -= size;
        }
        out.rd_old = m.io_left;
        out.op |= kind << ROW_KIND_SHIFT;
        m.end_cycle_of_transfer();
        return true;
    }

    /// One cycle of the instruction `op`, whose number is in `out.op`.
    DEVICE bool step(Instruction op, Row& out) {
        if (m.io_phase != IO_PHASE_NONE) {
            return op.kind() == KIND_HOLE ? fail(ERROR_NOT_EXECUTABLE, m.pc) : transfer(out);
        }
        if (!op.executable()) return fail(ERROR_NOT_EXECUTABLE, m.pc);
        uint32_t cls = op.cls();
        if (cls == CLASS_ECALL) return ecall(out);
        if (op.reads1()) {
            out.a = regs.value(op.rs1());
            out.gap0 = regs.touch(op.rs1(), timestamp(row, 0));
        }
        if (op.reads2()) {
            out.b = regs.value(op.rs2());
            out.gap1 = regs.touch(op.rs2(), timestamp(row, 1));
        }
        uint32_t addr = out.a + op.imm;
        uint32_t next = m.pc + 4;
        uint32_t result = compute(op, out.a, op.use_imm() ? op.imm : out.b);
        if (op.is_load() || op.is_store()) {
            if (addr & op.align_mask()) return fail(ERROR_MISALIGNED, addr);
            if (!word(out.old)) return false;
            out.word = addr >> 2;
            out.after = op.is_store() ? store_merge(cls, addr, out.old, out.b) : out.old;
            result = load_value(cls, op.is_signed(), addr, out.old);
        }
        if (cls == CLASS_JAL || cls == CLASS_JALR) {
            result = next;
            next = cls == CLASS_JAL ? op.imm : addr & ~1u;
            if (cls == CLASS_JALR && (next & 3)) return fail(ERROR_MISALIGNED, next);
        } else if (cls - CLASS_BEQ <= CLASS_BGE - CLASS_BEQ) {
            if (branch_taken(op, out.a, out.b)) next = op.imm;
        }
        if (op.writes()) write(op.rd(), result, out);
        m.pc = next;
        return true;
    }
};

/// Replays the chunks of a minimal trace, one thread a chunk.
///
/// - code: the program's instructions.
/// - checkpoints: `[num_chunks + 1][CHECKPOINT_WORDS]`; the last is the segment's end state and the number of words.
///   `first_word` ascends and is at most the number of words.
/// - words: values read.
/// - fields: `[10][stride]`, see FIELD_OP. stride: a multiple of 4, at least num_cycles.
/// - accessed: `[stride]`, number of the memory word that a row accesses, or NO_WORD.
/// - first, last: `[32][num_chunks]`, time of each chunk's first and last access of a register, or 0.
///
/// Rows from num_cycles on are not written. Grid: one thread a chunk; block: 64; shared memory: 26 KiB.
/// Tested against `witness::replay_reads`.
KERNEL(LANES) replay_chunks(Code code, const uint32_t* __restrict__ checkpoints, const uint32_t* __restrict__ words,
                            uint32_t num_chunks, uint32_t log_chunk, uint32_t num_cycles, uint32_t stride,
                            uint32_t* __restrict__ fields, uint32_t* __restrict__ accessed,
                            uint32_t* __restrict__ first, uint32_t* __restrict__ last, uint32_t* __restrict__ status) {
    SHARED(uint32_t, x, 32 * LANES);
    SHARED(uint32_t, times, 32 * LANES);
    SHARED(uint32_t, gathered, GATHERED * GROUP * LANES);
    uint32_t chunk = thread_index();
    if (chunk >= num_chunks) return;
    uint32_t lane = threadIdx.x;
    const uint32_t* checkpoint = checkpoints + size_t(chunk) * CHECKPOINT_WORDS;
    const uint32_t* next = checkpoint + CHECKPOINT_WORDS;

    Replayer replayer;
    replayer.m.load(checkpoint);
    replayer.regs = Registers{x + lane, times + lane, first + chunk, num_chunks};
    replayer.words = words;
    replayer.position = checkpoint[STATE_WORDS];
    replayer.end = next[STATE_WORDS];
    replayer.status = status;
    for (uint32_t reg = 0; reg < 32; reg++) {
        x[reg * LANES + lane] = checkpoint[STATE_X + reg];
        times[reg * LANES + lane] = 0;
    }

    uint32_t first_row = chunk << log_chunk;
    uint32_t end_row = min(num_cycles, first_row + (1u << log_chunk));
    uint32_t index = code.index(replayer.m.pc);
    Instruction op = code.at(index);
    bool good = true;
    for (uint32_t row = first_row; row < end_row; row++) {
        // Asked for early: most instructions are followed by the next.
        Instruction ahead = code.at(min(index + 1, code.num_ops));
        Row out = {index, 0, 0, 0, 0, 0, 0, 0, 0, NO_WORD};
        replayer.row = row;
        good = good && replayer.step(op, out);
        if (!good) {
            out.op = NO_ROW;
            out.word = NO_WORD;
        }
        uint32_t* slot = gathered + (row % GROUP) * LANES + lane;
        const uint32_t values[GATHERED] = {out.op,   out.a,    out.b,    out.old,   out.rd_old,
                                           out.gap0, out.gap1, out.gap3, out.after, out.word};
        for (uint32_t i = 0; i < GATHERED; i++) slot[i * GROUP * LANES] = values[i];

        if (row % GROUP == GROUP - 1 || row + 1 == end_row) {
            const uint32_t targets[GATHERED - 1] = {FIELD_OP,      FIELD_A,       FIELD_B,
                                                    FIELD_OLD,     FIELD_RD_OLD,  FIELD_GAP,
                                                    FIELD_GAP + 1, FIELD_GAP + 3, FIELD_AFTER};
            uint32_t group = row / GROUP * GROUP;
            bool whole = row % GROUP == GROUP - 1 && group >= first_row;
            for (uint32_t i = 0; i < GATHERED; i++) {
                const uint32_t* from = gathered + i * GROUP * LANES + lane;
                uint32_t* to = i + 1 < GATHERED ? fields + size_t(targets[i]) * stride : accessed;
                if (whole) {
                    uint4 four = make_uint4(from[0], from[LANES], from[2 * LANES], from[3 * LANES]);
                    *reinterpret_cast<uint4*>(to + group) = four;
                } else {
                    for (uint32_t r = max(group, first_row); r <= row; r++) to[r] = from[(r % GROUP) * LANES];
                }
            }
        }

        uint32_t to = code.index(replayer.m.pc);
        if (to == index + 1) {
            op = ahead;
        } else if (to != index) {
            op = code.at(to);
        }
        index = to;
    }

    if (good) {
        bool same = replayer.m.equals(next) && replayer.position == replayer.end;
        for (uint32_t reg = 0; reg < 32; reg++) same = same && x[reg * LANES + lane] == next[STATE_X + reg];
        if (!same) report(status, end_row, ERROR_WRONG_END, 0);
    }
    for (uint32_t reg = 0; reg < 32; reg++) {
        uint32_t time = times[reg * LANES + lane];
        last[size_t(reg) * num_chunks + chunk] = time;
        if (time == 0) first[size_t(reg) * num_chunks + chunk] = 0;
    }
}
EXPORT(replay_chunks, LANES)
