// The machine on the device: packed instructions, what they compute, and how the kernels that regenerate a witness
// report errors and hand rows on.
#pragma once

#include "field.cuh"
#include "layout.h"

/// Number of a word that no access has: sorts after all words, and is what the boundary table has after the last.
constexpr uint32_t NO_WORD = REGISTER_BASE;
/// `kind` of an address between parts of the code, where there is nothing to execute.
constexpr uint32_t KIND_HOLE = 63;
/// `op` of a row that could not be made; it has no instruction and no row kind.
constexpr uint32_t NO_ROW = 0xffffffffu;
/// Bits of `op` that are the instruction's number.
constexpr uint32_t OP_INDEX_MASK = (1u << ROW_KIND_SHIFT) - 1;

/// Words of a row as replay leaves it, structure of arrays `[FIELDS][stride]`: those of a record, then the memory
/// word after the access. `GAP + 2` holds something only in rows that access memory.
constexpr uint32_t FIELD_OP = 0;
constexpr uint32_t FIELD_A = 1;
constexpr uint32_t FIELD_B = 2;
constexpr uint32_t FIELD_OLD = 3;
constexpr uint32_t FIELD_RD_OLD = 4;
constexpr uint32_t FIELD_GAP = 5;
constexpr uint32_t FIELD_AFTER = 9;

/// Words of the status that all kernels of a regeneration share: the first error as a 64-bit number, the first
/// difference from the segment's states, the number of words touched, the last row's `op`.
constexpr uint32_t STATUS_ERROR = 0;
constexpr uint32_t STATUS_ENDS = 2;
constexpr uint32_t STATUS_WORDS = 3;
constexpr uint32_t STATUS_LAST_OP = 4;

/// What can be wrong with a row; what comes first in this order is reported if one row has two.
constexpr uint32_t ERROR_WRONG_END = 0;
constexpr uint32_t ERROR_OUT_OF_WORDS = 1;
constexpr uint32_t ERROR_NOT_EXECUTABLE = 2;
constexpr uint32_t ERROR_MISALIGNED = 3;
constexpr uint32_t ERROR_TRANSFER_TOO_LONG = 4;
constexpr uint32_t ERROR_HALTED = 5;
constexpr uint32_t ERROR_INCONSISTENT = 6;
constexpr uint32_t ERROR_BAD_RECORD = 7;
constexpr uint32_t ERROR_GAPS = 8;

/// Keeps the error of the lowest row: `row << 8 | code` above 32 bits of detail.
DEVICE void report(uint32_t* status, uint32_t row, uint32_t code, uint32_t detail) {
    unsigned long long error = (unsigned long long)(row << 8 | code) << 32 | detail;
    atomicMin(reinterpret_cast<unsigned long long*>(status + STATUS_ERROR), error);
}

/// Time of the access in `slot` of row `row`.
DEVICE uint32_t timestamp(uint32_t row, uint32_t slot) { return 4 * row + slot + 1; }

/// An instruction as the host packs it: what `RomRow` says of it in 32 bits, and its immediate.
struct Instruction {
    uint32_t bits;
    uint32_t imm;

    DEVICE uint32_t kind() const { return bits & 63; }
    DEVICE uint32_t cls() const { return bits >> 6 & 31; }
    DEVICE uint32_t rd() const { return bits >> 11 & 31; }
    DEVICE uint32_t rs1() const { return bits >> 16 & 31; }
    DEVICE uint32_t rs2() const { return bits >> 21 & 31; }
    DEVICE uint32_t is_signed() const { return bits >> 26 & 1; }
    DEVICE uint32_t is_signed_b() const { return bits >> 27 & 1; }
    DEVICE uint32_t use_imm() const { return bits >> 28 & 1; }
    /// Writes a register other than x0.
    DEVICE uint32_t writes() const { return bits >> 29 & 1; }
    DEVICE uint32_t reads1() const { return bits >> 30 & 1; }
    DEVICE uint32_t reads2() const { return bits >> 31; }
    /// It has a class: neither a hole nor illegal nor `ebreak`.
    DEVICE bool executable() const {
        return kind() != KIND_HOLE && kind() != KIND_ILLEGAL && kind() != KIND_EBREAK;
    }
    DEVICE bool is_load() const { return cls() - CLASS_LB <= CLASS_LW - CLASS_LB; }
    DEVICE bool is_store() const { return cls() - CLASS_SB <= CLASS_SW - CLASS_SB; }
    /// Loads and stores: bytes moved, less one.
    DEVICE uint32_t align_mask() const {
        uint32_t size = is_load() ? cls() - CLASS_LB : cls() - CLASS_SB;
        return (1u << size) - 1;
    }
};

/// Instructions of a program: `[num_ops + 1]`, the last a hole.
struct Code {
    const uint2* ops;
    uint32_t num_ops;
    uint32_t base;

    /// Number of the instruction at `pc`; that of the hole if there is none.
    DEVICE uint32_t index(uint32_t pc) const {
        uint32_t index = (pc - base) >> 2;
        return (pc & 3) == 0 && index < num_ops ? index : num_ops;
    }
    DEVICE Instruction at(uint32_t index) const {
        uint2 op = __ldg(ops + index);
        return Instruction{op.x, op.y};
    }
};

/// `mul`, `mulh*`, `div*` and `rem*`.
DEVICE uint32_t multiply_or_divide(Instruction op, uint32_t a, uint32_t b) {
    uint32_t cls = op.cls();
    if (cls == CLASS_MUL) return a * b;
    uint32_t negative_a = op.is_signed() & a >> 31;
    uint32_t negative_b = op.is_signed_b() & b >> 31;
    if (cls == CLASS_MULH) {
        uint32_t high = __umulhi(a, b);
        return high - (negative_a ? b : 0) - (negative_b ? a : 0);
    }
    if (b == 0) return cls == CLASS_DIV ? 0xffffffffu : a;
    uint32_t abs_a = negative_a ? 0 - a : a;
    uint32_t abs_b = negative_b ? 0 - b : b;
    if (cls == CLASS_DIV) {
        uint32_t quotient = abs_a / abs_b;
        return negative_a != negative_b ? 0 - quotient : quotient;
    }
    uint32_t rest = abs_a % abs_b;
    return negative_a ? 0 - rest : rest;
}

/// What an instruction of the classes `add` to `li`, `mul`, `mulh`, `div` and `rem` leaves in its register.
/// The frequent ones are selects, so that lanes with different instructions do not wait for each other.
DEVICE uint32_t compute(Instruction op, uint32_t a, uint32_t b) {
    uint32_t cls = op.cls();
    if (cls - CLASS_MUL <= CLASS_REM - CLASS_MUL) return multiply_or_divide(op, a, b);
    uint32_t flip = op.is_signed() << 31;
    uint32_t amount = b & 31;
    uint32_t result = a + b;
    result = cls == CLASS_SUB ? a - b : result;
    result = cls == CLASS_SLT ? uint32_t((a ^ flip) < (b ^ flip)) : result;
    result = cls == CLASS_AND ? a & b : result;
    result = cls == CLASS_OR ? a | b : result;
    result = cls == CLASS_XOR ? a ^ b : result;
    result = cls == CLASS_SLL ? a << amount : result;
    result = cls == CLASS_SRL ? a >> amount : result;
    result = cls == CLASS_SRA ? uint32_t(int32_t(a) >> amount) : result;
    result = cls == CLASS_LI ? op.imm : result;
    return result;
}

/// Whether a branch is taken.
DEVICE bool branch_taken(Instruction op, uint32_t a, uint32_t b) {
    uint32_t flip = op.is_signed() << 31;
    bool less = (a ^ flip) < (b ^ flip);
    bool equal = a == b;
    uint32_t cls = op.cls();
    return cls == CLASS_BEQ ? equal : cls == CLASS_BNE ? !equal : cls == CLASS_BLT ? less : !less;
}

/// The byte of `word` at `addr`, or the half or word, extended.
DEVICE uint32_t load_value(uint32_t cls, uint32_t is_signed, uint32_t addr, uint32_t word) {
    uint32_t shifted = word >> (8 * (addr & 3));
    uint32_t unused = cls == CLASS_LB ? 24 : cls == CLASS_LH ? 16 : 0;
    shifted <<= unused;
    return is_signed ? uint32_t(int32_t(shifted) >> unused) : shifted >> unused;
}

/// The memory word after `value` is stored at `addr`.
DEVICE uint32_t store_merge(uint32_t cls, uint32_t addr, uint32_t old, uint32_t value) {
    uint32_t shift = 8 * (addr & 3);
    uint32_t mask = cls == CLASS_SB ? 0xffu : cls == CLASS_SH ? 0xffffu : 0xffffffffu;
    shift = cls == CLASS_SW ? 0 : shift;
    mask <<= shift;
    return (old & ~mask) | (value << shift & mask);
}

/// What the byte or word at `addr` and `word` is after a unit is moved in, by row kind; `word` for other kinds.
DEVICE uint32_t move_merge(uint32_t row_kind, uint32_t addr, uint32_t word, uint32_t data) {
    if (row_kind == ROW_KIND_MOVE_IN_BYTE) return store_merge(CLASS_SB, addr, word, data);
    return row_kind == ROW_KIND_MOVE_IN_WORD ? data : word;
}

/// The state of a machine beside its registers.
struct Machine {
    uint32_t pc, brk, input_pos, io_phase, io_fd, io_ptr, io_left, halted;

    /// Reads the words of a `MachineState`.
    DEVICE void load(const uint32_t* state) {
        pc = state[STATE_PC];
        brk = state[STATE_BRK];
        input_pos = state[STATE_INPUT_POS];
        io_phase = state[STATE_IO_PHASE];
        io_fd = state[STATE_IO_FD];
        io_ptr = state[STATE_IO_PTR];
        io_left = state[STATE_IO_LEFT];
        halted = state[STATE_HALTED];
    }
    /// Writes the same words.
    DEVICE void store(uint32_t* state) const {
        state[STATE_PC] = pc;
        state[STATE_BRK] = brk;
        state[STATE_INPUT_POS] = input_pos;
        state[STATE_IO_PHASE] = io_phase;
        state[STATE_IO_FD] = io_fd;
        state[STATE_IO_PTR] = io_ptr;
        state[STATE_IO_LEFT] = io_left;
        state[STATE_HALTED] = halted;
    }
    /// Whether it is the state in `state`.
    DEVICE bool equals(const uint32_t* state) const {
        return pc == state[STATE_PC] && brk == state[STATE_BRK] && input_pos == state[STATE_INPUT_POS] &&
               io_phase == state[STATE_IO_PHASE] && io_fd == state[STATE_IO_FD] && io_ptr == state[STATE_IO_PTR] &&
               io_left == state[STATE_IO_LEFT] && halted == state[STATE_HALTED];
    }
    /// Bytes of the unit that a move cycle moves.
    DEVICE uint32_t unit() const { return (io_ptr & 3) == 0 && io_left >= 4 ? 4 : 1; }
    /// After a setup or move cycle: goes on moving, or leaves the system call.
    DEVICE void end_cycle_of_transfer() {
        io_phase = IO_PHASE_MOVE;
        if (io_left == 0) {
            io_phase = IO_PHASE_NONE;
            io_fd = 0;
            io_ptr = 0;
            pc += 4;
        }
    }
};
