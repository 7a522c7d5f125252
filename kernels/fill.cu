// Filling: from the words of a row to its 174 cells, one thread a row. Consecutive threads write consecutive rows of a
// column, so every store of a warp is one 128-byte line.
#include "count.cuh"
#include "machine.cuh"

constexpr uint32_t THREADS = 256;

/// All that the cells of a row are cut from: what differs between classes is computed once, in registers, and then
/// stored by the same code for every class.
struct Cells {
    // Operands and flags.
    uint32_t a, b, cls, is_signed, is_signed_b, use_imm, writes;
    // Place in the program and in a system call.
    uint32_t pc, setup, move, more, left, rd, rs1, rs2, imm, target, link_hi;
    // Accesses.
    uint32_t rd_old, rd_new, mem_old, mem_new, gap[4];
    // Sum unit: has_sum says that sum is in use; sel is a one-hot mask.
    uint32_t sum, sel, carry, carry2;
    // Products, quotients, shifts.
    uint32_t x_lo, x_hi, xcarry[3], pow01, pow, fill, top;
    // Branches.
    uint32_t taken, neq, distance;
    // Division.
    uint32_t neg_a, neg_b, abs_a, abs_b, negate_a, negate_b, neg_r, by_zero;

    /// A result of the sum unit.
    DEVICE void set_sum(uint32_t value) {
        sum = value;
        sel = 1u << (value & 3);
    }
    /// Carries of x + y, low limb and high limb.
    DEVICE void set_carries(uint32_t x, uint32_t y) {
        uint32_t high = x + y < x ? 2u : 0u;
        carry = ((x & 0xffff) + (y & 0xffff)) >> 16 | high;
    }
    DEVICE void set_memory(uint32_t base, uint32_t offset, uint32_t before, uint32_t after) {
        set_sum(base + offset);
        set_carries(base, offset);
        mem_old = before;
        mem_new = after;
    }
    /// Sign of the byte or half at `addr` of `word`.
    DEVICE void set_extension(uint32_t addr, uint32_t word, uint32_t bits, uint32_t sign_extend) {
        top = word >> (8 * (addr & 3) + bits - 1) & 1;
        fill = sign_extend & top;
    }
    /// The sum unit holds a - b.
    DEVICE void compare(uint32_t x, uint32_t y, uint32_t sign) {
        x ^= sign << 31;
        y ^= sign << 31;
        set_sum(x - y);
        carry = uint32_t((x & 0xffff) < (y & 0xffff)) | uint32_t(x < y) << 1;
    }
    DEVICE void shift(uint32_t value, uint32_t amount, bool to_left, uint32_t fill_bit) {
        uint32_t bits = amount & 7;
        uint32_t low_bits = amount & 3;
        pow01 = to_left ? 1u << low_bits : 8u >> low_bits;
        pow = to_left ? 1u << bits : 256u >> bits;
        for (uint32_t i = 0; i < 4; i++) {
            uint32_t product = (value >> (8 * i) & 255) * pow;
            x_lo |= (product & 255) << (8 * i);
            x_hi |= product >> 8 << (8 * i);
        }
        sel = 1u << (amount >> 3);
        fill = fill_bit;
        top = fill_bit * (256 - pow);
    }
    DEVICE void multiply(Instruction op) {
        uint64_t product = uint64_t(a) * b;
        x_lo = uint32_t(product);
        x_hi = uint32_t(product >> 32);
        digit_carries();
        if (op.cls() == CLASS_MUL) return;
        neg_a = op.is_signed() & a >> 31;
        neg_b = op.is_signed_b() & b >> 31;
        uint32_t sum = 0;
        for (uint32_t limb = 0; limb < 2; limb++) {
            uint32_t at = 16 * limb;
            sum = (rd_new >> at & 0xffff) + neg_a * (b >> at & 0xffff) + neg_b * (a >> at & 0xffff) + sum;
            sum >>= 16;
            carry |= uint32_t(sum > 0) << limb;
            carry2 |= uint32_t(sum > 1) << limb;
        }
    }
    /// `x_0 y_0 + 256 (x_0 y_1 + x_1 y_0)` over bytes: the lowest 16-bit digit of a product, with its carry.
    static DEVICE uint32_t low_digit(uint32_t x, uint32_t y) {
        return (x & 0xffff) * (y & 0xffff) - ((x >> 8 & 255) * (y >> 8 & 255) << 16);
    }
    /// Carries out of the three low 16-bit digits of a b, where digit k is the sum of the byte products at positions
    /// 2k and 2k + 1, and of the carry into it.
    DEVICE void digit_carries() {
        uint32_t a1 = a >> 8 & 255, a3 = a >> 24, b1 = b >> 8 & 255, b3 = b >> 24;
        uint64_t second = a1 * b1;
        uint64_t fourth = a1 * b3 + a3 * b1;
        uint64_t sixth = a3 * b3;
        uint64_t a_lo = a & 0xffff, a_hi = a >> 16, b_lo = b & 0xffff, b_hi = b >> 16;
        uint64_t first = low_digit(a, b) >> 16;
        uint64_t middle = (a_lo * b_hi + a_hi * b_lo + second - (fourth << 16) + first) >> 16;
        uint64_t last = (a_hi * b_hi + fourth - (sixth << 16) + middle) >> 16;
        xcarry[0] = uint32_t(first);
        xcarry[1] = uint32_t(middle);
        xcarry[2] = uint32_t(last);
    }
    DEVICE void divide(Instruction op) {
        neg_a = op.is_signed() & a >> 31;
        neg_b = op.is_signed() & b >> 31;
        abs_a = neg_a ? 0 - a : a;
        abs_b = neg_b ? 0 - b : b;
        negate_a = neg_a & uint32_t((a & 0xffff) != 0);
        negate_b = neg_b & uint32_t((b & 0xffff) != 0);
        bool quotient = op.cls() == CLASS_DIV;
        uint32_t q = neg_a ? 1u : 0xffffffffu;
        uint32_t r = abs_a;
        if (abs_b != 0) {
            q = abs_a / abs_b;
            r = abs_a - q * abs_b;
        }
        x_lo = q;
        x_hi = r;
        xcarry[0] = (low_digit(q, abs_b) + (r & 0xffff)) >> 16;
        by_zero = b == 0;
        if (b != 0) {
            uint32_t rest = abs_b - r - 1;
            set_sum(rest);
            carry = ((rest & 0xffff) + (r & 0xffff) + 1) >> 16;
        }
        neg_r = quotient ? neg_a ^ neg_b : neg_a;
        uint32_t value = quotient ? q : r;
        if (neg_r && value != 0) carry2 = 2u | uint32_t((value & 0xffff) != 0);
    }
};

/// The target of a jump: word address, or for a misaligned one, an address that no instruction has.
DEVICE uint32_t jump_target(uint32_t address) { return (address & 3) == 0 ? address >> 2 : REGISTER_BASE; }

/// What the cells of an instruction's row are cut from.
DEVICE void fill_instruction(Cells& c, Instruction op, uint32_t pc, uint32_t old, uint32_t rd_old) {
    uint32_t cls = op.cls();
    uint32_t link = pc + 4;
    c.cls = cls;
    c.is_signed = op.is_signed();
    c.is_signed_b = op.is_signed_b();
    c.use_imm = op.use_imm();
    c.writes = op.writes();
    c.rd = op.rd();
    c.rs1 = op.rs1();
    c.rs2 = op.rs2();
    c.imm = op.imm;
    bool is_branch = cls - CLASS_BEQ <= CLASS_BGE - CLASS_BEQ;
    if (is_branch || cls == CLASS_JAL) {
        c.imm = cls == CLASS_JAL ? link : 0;
        c.target = jump_target(op.imm);
    }
    if (c.use_imm) c.b = op.imm;
    if (c.writes && cls != CLASS_ECALL) c.rd_old = rd_old;
    if (cls <= CLASS_LI || cls - CLASS_MUL <= CLASS_REM - CLASS_MUL) c.rd_new = compute(op, c.a, c.b);

    if (cls <= CLASS_SUB) {
        if (cls == CLASS_ADD) c.set_carries(c.a, c.b);
        else c.set_carries(c.rd_new, c.b);
    } else if (cls == CLASS_SLT || is_branch) {
        c.compare(c.a, c.b, op.is_signed());
        if (is_branch) {
            c.taken = branch_taken(op, c.a, c.b);
            if (cls == CLASS_BEQ || cls == CLASS_BNE) {
                uint32_t difference = c.a - c.b;
                c.neq = difference != 0;
                c.distance = (difference & 0xffff) + (difference >> 16) - c.neq;
            }
        }
    } else if (cls - CLASS_SLL <= CLASS_SRA - CLASS_SLL) {
        c.shift(c.a, c.b & 31, cls == CLASS_SLL, cls == CLASS_SRA ? c.a >> 31 : 0);
    } else if (op.is_load() || op.is_store()) {
        uint32_t addr = c.a + op.imm;
        uint32_t after = op.is_store() ? store_merge(cls, addr, old, c.b) : old;
        c.set_memory(c.a, op.imm, old, after);
        if (op.is_load()) {
            c.b = old;
            c.rd_new = load_value(cls, op.is_signed(), addr, old);
            if (cls == CLASS_LB) c.set_extension(addr, old, 8, op.is_signed());
            if (cls == CLASS_LH) c.set_extension(addr & ~1u, old, 16, op.is_signed());
        }
    } else if (cls == CLASS_JAL) {
        c.rd_new = link;
        c.taken = 1;
    } else if (cls == CLASS_JALR) {
        c.rd_new = link;
        c.target = link & 0xffff;
        c.link_hi = link >> 16;
        c.set_sum(c.a + op.imm);
        c.set_carries(c.a, op.imm);
    } else if (cls == CLASS_MUL || cls == CLASS_MULH) {
        c.multiply(op);
    } else if (cls == CLASS_DIV || cls == CLASS_REM) {
        c.divide(op);
    } else if (cls == CLASS_ECALL) {
        c.rd_old = c.b;
        c.rd_new = old;
        if (c.a == SYS_READ || c.a == SYS_WRITE) {
            c.more = 1;
            c.left = old;
        }
    }
}

/// What the cells of a setup or move row are cut from; `step` is the distance from `a` to the address.
DEVICE void fill_transfer(Cells& c, uint32_t row_kind, uint32_t old, uint32_t left, uint32_t step) {
    c.left = left;
    c.more = left != 0;
    if (row_kind == ROW_KIND_SETUP) {
        c.setup = 1;
        c.rs1 = 11;
        c.rs2 = 12;
        c.set_sum(c.a);
        return;
    }
    c.move = 1;
    c.imm = step;
    uint32_t addr = c.a + step;
    bool inward = row_kind == ROW_KIND_MOVE_IN_BYTE || row_kind == ROW_KIND_MOVE_IN_WORD;
    c.set_memory(c.a, step, old, move_merge(row_kind, addr, old, c.b));
    if (inward) {
        c.cls = row_kind == ROW_KIND_MOVE_IN_BYTE ? CLASS_SB : CLASS_SW;
        return;
    }
    c.b = old;
    c.cls = row_kind == ROW_KIND_MOVE_OUT_BYTE ? CLASS_LB : CLASS_LW;
    c.rd_new = load_value(c.cls, 0, addr, old);
    if (c.cls == CLASS_LB) c.set_extension(addr, old, 8, 0);
}

/// Where a row's cells go.
struct Out {
    uint32_t* row;
    size_t height;
    bool inside;

    /// A word in Montgomery form.
    DEVICE void word(uint32_t col, uint32_t word) {
        if (inside) __stcs(row + col * height, word);
    }
    DEVICE void value(uint32_t col, uint32_t value) { word(col, to_monty(value)); }
    DEVICE void bit(uint32_t col, uint32_t bit) { word(col, (0 - bit) & ONE); }
    DEVICE void bytes(uint32_t col, uint32_t value_) {
#pragma unroll
        for (uint32_t i = 0; i < 4; i++) value(col + i, value_ >> (8 * i) & 255);
    }
    DEVICE void limbs(uint32_t col, uint32_t value_) {
        value(col, value_ & 0xffff);
        value(col + 1, value_ >> 16);
    }
    /// `count` bits of a mask.
    template <uint32_t count>
    DEVICE void bits(uint32_t col, uint32_t mask) {
#pragma unroll
        for (uint32_t i = 0; i < count; i++) bit(col + i, mask >> i & 1);
    }
};

/// Fills the CPU table and counts the lookups of its rows.
///
/// - code: the program's instructions.
/// - fields: `[10][stride]` of num_cycles rows, see FIELD_OP.
/// - end_pc: pc of the rows after the last cycle.
/// - table: column-major `[WIDTH][height]`, out; height at least num_cycles.
/// - counters: `[shards][COUNTERS]`, executed: `[shards][num_ops]`, counted on; shards: a power of two.
///
/// Grid: one thread a row; block: 256. Tested against `witness::fill_tables`.
KERNEL(THREADS) fill_rows(Code code, const uint32_t* __restrict__ fields, uint32_t stride, uint32_t num_cycles,
                          uint32_t end_pc, uint32_t height, uint32_t* __restrict__ table,
                          uint32_t* __restrict__ counters, uint32_t* __restrict__ executed, uint32_t shards) {
    uint32_t row = thread_index();
    uint32_t shard = blockIdx.x & (shards - 1);
    Cells c = {};
    c.cls = NUM_CLASSES;
    c.pc = end_pc >> 2;
    const uint32_t* field = fields + row;
    uint32_t op_word = row < num_cycles ? field[0] : NO_ROW;
    uint32_t index = op_word & OP_INDEX_MASK;
    if (index < code.num_ops) {
        uint32_t row_kind = op_word >> ROW_KIND_SHIFT;
        c.a = __ldcs(field + size_t(FIELD_A) * stride);
        c.b = __ldcs(field + size_t(FIELD_B) * stride);
        uint32_t old = __ldcs(field + size_t(FIELD_OLD) * stride);
        uint32_t rd_old = __ldcs(field + size_t(FIELD_RD_OLD) * stride);
        uint32_t gap0 = __ldcs(field + size_t(FIELD_GAP) * stride);
        uint32_t gap1 = __ldcs(field + size_t(FIELD_GAP + 1) * stride);
        uint32_t gap2 = 0;
        uint32_t gap3 = __ldcs(field + size_t(FIELD_GAP + 3) * stride);
        c.pc = (code.base >> 2) + index;
        bool accesses = false;
        if (row_kind == ROW_KIND_INSTRUCTION) {
            Instruction op = code.at(index);
            accesses = op.is_load() || op.is_store();
            fill_instruction(c, op, code.base + 4 * index, old, rd_old);
            atomicAdd(executed + size_t(shard) * code.num_ops + index, 1u);
        } else {
            accesses = row_kind != ROW_KIND_SETUP;
            fill_transfer(c, row_kind, old, rd_old, gap0);
            if (accesses) gap0 = 0;
        }
        if (accesses) gap2 = __ldcs(field + size_t(FIELD_GAP + 2) * stride);
        c.gap[0] = gap0;
        c.gap[1] = gap1;
        c.gap[2] = gap2;
        c.gap[3] = gap3;
    }

    Out out = {table + row, height, row < height};
    out.bits<32>(COL_A, c.a);
    out.bits<32>(COL_B, c.b);
    out.bits<NUM_CLASSES>(COL_CLASS, c.cls < NUM_CLASSES ? 1u << c.cls : 0);
    out.bit(COL_SIGNED, c.is_signed);
    out.bit(COL_SIGNED_B, c.is_signed_b);
    out.bit(COL_USE_IMM, c.use_imm);
    out.bit(COL_WRITES_RD, c.writes);
    out.value(COL_CLK, row);
    out.value(COL_PC, c.pc);
    out.bit(COL_SETUP, c.setup);
    out.bit(COL_MOVE, c.move);
    out.bit(COL_MORE, c.more);
    out.value(COL_LEFT, c.left);
    out.value(COL_RD, c.rd);
    out.value(COL_RS1, c.rs1);
    out.value(COL_RS2, c.rs2);
    out.limbs(COL_IMM, c.imm);
    out.value(COL_TARGET, c.target);
    out.value(COL_LINK_HI, c.link_hi);
    out.bytes(COL_RD_OLD, c.rd_old);
    out.bytes(COL_RD_NEW, c.rd_new);
    out.bytes(COL_MEM_OLD, c.mem_old);
    out.bytes(COL_MEM_NEW, c.mem_new);
#pragma unroll
    for (uint32_t slot = 0; slot < NUM_SLOTS; slot++) {
        out.value(COL_GAP_LO + slot, c.gap[slot] & 0xffff);
        out.value(COL_GAP_HI + slot, c.gap[slot] >> 16);
    }
    out.value(COL_SUM_WORD, (c.sum & 0xffff) >> 2);
    out.value(COL_SUM_HI, c.sum >> 16);
    out.bits<4>(COL_SEL, c.sel);
    out.bits<2>(COL_CARRY, c.carry);
    out.bits<2>(COL_CARRY2, c.carry2);
    out.bytes(COL_X, c.x_lo);
    out.bytes(COL_X + 4, c.x_hi);
#pragma unroll
    for (uint32_t digit = 0; digit < 3; digit++) out.value(COL_XCARRY + digit, c.xcarry[digit]);
    out.value(COL_POW01, c.pow01);
    out.value(COL_POW, c.pow);
    out.bit(COL_FILL, c.fill);
    out.value(COL_TOP, c.top);
    out.bit(COL_TAKEN, c.taken);
    out.bit(COL_NEQ, c.neq);
    out.value(COL_NEQ_LO, c.distance & 0xffff);
    out.bit(COL_NEQ_HI, c.distance >> 16);
    out.bit(COL_NEG_A, c.neg_a);
    out.bit(COL_NEG_B, c.neg_b);
    out.bytes(COL_ABS_B, c.abs_b);
    out.limbs(COL_ABS_A, c.abs_a);
    out.bit(COL_NEGATE_A, c.negate_a);
    out.bit(COL_NEGATE_B, c.negate_b);
    out.bit(COL_NEG_R, c.neg_r);
    out.bit(COL_BY_ZERO, c.by_zero);

    // The columns of RANGE_COLS16, RANGE_COLS14 and RANGE_COLS_BYTES.
    static_assert(RANGE_COLS16_COUNT == 8 && RANGE_COLS14_COUNT == 4 && RANGE_COLS_BYTES_COUNT == 10, "lookups of a row");
    uint32_t* counts = counters + size_t(shard) * COUNTERS;
#pragma unroll
    for (uint32_t slot = 0; slot < NUM_SLOTS; slot++) count_lookup(counts + COUNTS16, c.gap[slot] & 0xffff);
    count_lookup(counts + COUNTS16, c.sum >> 16);
    count_lookup(counts + COUNTS16, c.distance & 0xffff);
    count_lookup(counts + COUNTS16, c.abs_a & 0xffff);
    count_lookup(counts + COUNTS16, c.abs_a >> 16);
    count_lookup(counts + COUNTS14, (c.sum & 0xffff) >> 2);
#pragma unroll
    for (uint32_t digit = 0; digit < 3; digit++) count_lookup(counts + COUNTS14, c.xcarry[digit]);
    count_lookup(counts + COUNTS_BYTES, c.gap[0] >> 16 | c.gap[1] >> 16 << 8);
    count_lookup(counts + COUNTS_BYTES, c.gap[2] >> 16 | c.gap[3] >> 16 << 8);
    const uint32_t pairs[4] = {c.rd_new, c.x_lo, c.x_hi, c.abs_b};
#pragma unroll
    for (uint32_t i = 0; i < 4; i++) {
        count_lookup(counts + COUNTS_BYTES, pairs[i] & 0xffff);
        count_lookup(counts + COUNTS_BYTES, pairs[i] >> 16);
    }
}
EXPORT(fill_rows, THREADS)
