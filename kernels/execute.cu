// Execution: segments run again from snapshots of memory, one thread a segment, and record what replay needs. There is
// no parallelism inside a segment: many segments share one launch. Each thread is alone in its block, so that no lane
// waits for another's instruction.
#include "machine.cuh"

/// Words of a job.
constexpr uint32_t JOB_WORDS = 12;
/// Words of a result: how it ended, cycles executed, values recorded, detail.
constexpr uint32_t RESULT_WORDS = 4;
constexpr uint32_t ENDED_DONE = 0;
/// The guest exited, trapped, or reads input that is not there.
constexpr uint32_t ENDED_EARLY = 1;
/// A page is used that the snapshot should have and does not.
constexpr uint32_t ENDED_PAGE = 2;
/// No spare page or table is left.
constexpr uint32_t ENDED_POOL = 3;

/// A page has 256 words, a table 2^11 pages, a directory 2^11 tables.
constexpr uint32_t LOG_PAGE_WORDS = LOG_PAGE_BYTES - 2;
constexpr uint32_t PAGE_WORDS = 1u << LOG_PAGE_WORDS;
constexpr uint32_t LOG_TABLE = 11;
constexpr uint32_t TABLE_ENTRIES = 1u << LOG_TABLE;
/// Bit of a table's entry: the page is one of the shared ones, copied before it is written. Below it: its place plus one.
constexpr uint32_t SHARED_PAGE = 1u << 31;
/// Translations kept in shared memory.
constexpr uint32_t TRANSLATIONS = 64;
/// Most bytes a guest may write to one descriptor.
constexpr uint32_t MAX_OUTPUT_BYTES = 1u << 30;

/// Memory of all segments of a launch.
struct Space {
    /// `[segments][2^11]`: tables plus one; 0 for none.
    uint32_t* directories;
    /// `[tables][2^11]`: see SHARED_PAGE; 0 for no page.
    uint32_t* tables;
    /// `[pages][256]`.
    uint32_t* pages;
    /// `[shared pages][256]`.
    const uint32_t* shared_pages;
    /// `[2]`: the next spare page and the next spare table; spare tables are all zero.
    uint32_t* pool;
    uint32_t num_pages;
    uint32_t num_tables;
};

/// One segment being executed.
struct Executor {
    Machine m;
    Space space;
    Code code;
    const uint2* ranges;
    uint32_t num_ranges;
    uint32_t* directory;
    uint32_t* x;
    uint32_t* tags;
    uint32_t* entries;
    uint32_t* words;
    uint32_t num_words, max_words;
    const uint8_t* input;
    uint32_t input_len, input_base, input_has_end, input_end;
    uint32_t strict;
    /// Bytes written to descriptors 1 to 3, in shared memory.
    uint32_t* written;
    uint32_t ended, detail;

    DEVICE bool stop(uint32_t how, uint32_t what) {
        ended = how;
        detail = what;
        return false;
    }
    DEVICE void record(uint32_t value) {
        if (num_words < max_words) words[num_words] = value;
        num_words++;
    }

    /// The table's entry for `page`, made if `make`; null if there is none.
    DEVICE uint32_t* entry_of(uint32_t page, bool make) {
        uint32_t* slot = directory + (page >> LOG_TABLE);
        uint32_t table = *slot;
        if (table == 0) {
            if (!make) return nullptr;
            table = atomicAdd(space.pool + 1, 1u) + 1;
            if (table > space.num_tables) return nullptr;
            *slot = table;
        }
        return space.tables + size_t(table - 1) * TABLE_ENTRIES + (page & (TABLE_ENTRIES - 1));
    }
    /// The word numbered `word`, for reading.
    DEVICE bool read(uint32_t word, uint32_t& value) {
        uint32_t page = word >> LOG_PAGE_WORDS;
        uint32_t kept = page % TRANSLATIONS;
        uint32_t entry = entries[kept];
        if (tags[kept] != page || entry == 0) {
            uint32_t* found = entry_of(page, false);
            entry = found == nullptr ? 0 : *found;
            if (entry == 0) {
                if (strict) return stop(ENDED_PAGE, page << LOG_PAGE_BYTES);
                value = 0;
                return true;
            }
            tags[kept] = page;
            entries[kept] = entry;
        }
        uint32_t at = word & (PAGE_WORDS - 1);
        size_t place = size_t((entry & ~SHARED_PAGE) - 1) * PAGE_WORDS + at;
        value = entry & SHARED_PAGE ? space.shared_pages[place] : space.pages[place];
        return true;
    }
    /// Overwrites a word that was read; its page is made this segment's own.
    DEVICE bool write(uint32_t word, uint32_t value) {
        uint32_t page = word >> LOG_PAGE_WORDS;
        uint32_t kept = page % TRANSLATIONS;
        uint32_t entry = tags[kept] == page ? entries[kept] : 0;
        if (entry == 0 || entry & SHARED_PAGE) {
            uint32_t* found = entry_of(page, true);
            uint32_t place = found == nullptr ? space.num_pages : atomicAdd(space.pool, 1u);
            if (place >= space.num_pages) return stop(ENDED_POOL, 0);
            uint32_t* to = space.pages + size_t(place) * PAGE_WORDS;
            uint4* to_quads = reinterpret_cast<uint4*>(to);
            if (entry == 0) {
#pragma unroll 1
                for (uint32_t i = 0; i < PAGE_WORDS / 4; i++) to_quads[i] = make_uint4(0, 0, 0, 0);
            } else {
                const uint32_t* from = space.shared_pages + size_t((entry & ~SHARED_PAGE) - 1) * PAGE_WORDS;
                const uint4* from_quads = reinterpret_cast<const uint4*>(from);
                // Four loads under way at a time; more would cost registers everywhere.
#pragma unroll 1
                for (uint32_t i = 0; i < PAGE_WORDS / 4; i += 4) {
                    uint4 a = __ldg(from_quads + i), b = __ldg(from_quads + i + 1);
                    uint4 c = __ldg(from_quads + i + 2), d = __ldg(from_quads + i + 3);
                    to_quads[i] = a;
                    to_quads[i + 1] = b;
                    to_quads[i + 2] = c;
                    to_quads[i + 3] = d;
                }
            }
            entry = place + 1;
            *found = entry;
            tags[kept] = page;
            entries[kept] = entry;
        }
        space.pages[size_t(entry - 1) * PAGE_WORDS + (word & (PAGE_WORDS - 1))] = value;
        return true;
    }

    /// Whether any of the `len` bytes from `addr` is code.
    DEVICE bool overlaps_code(uint32_t addr, uint32_t len) const {
        uint64_t end = uint64_t(addr) + len;
        for (uint32_t i = 0; i < num_ranges; i++) {
            uint2 range = __ldg(ranges + i);
            if (range.y > addr) return max(range.x, addr) < end;
        }
        return false;
    }

    /// Checks a `read` or `write`; the bytes it will move.
    DEVICE bool start_transfer(uint32_t number, uint32_t fd, uint32_t& moved) {
        bool known = number == SYS_READ ? fd == 0 : fd - 1 < 3;
        uint32_t ptr = x[11];
        moved = min(x[12], MAX_TRANSFER_BYTES);
        if (!known || uint64_t(ptr) + moved > uint64_t(1) << 32) return stop(ENDED_EARLY, 0);
        if (number == SYS_READ) {
            if (input_has_end) {
                if (input_end < m.input_pos) return stop(ENDED_EARLY, 0);
                moved = min(moved, input_end - m.input_pos);
            }
            return overlaps_code(ptr, moved) ? stop(ENDED_EARLY, 0) : true;
        }
        return written[fd - 1] + moved > MAX_OUTPUT_BYTES ? stop(ENDED_EARLY, 0) : true;
    }

    /// The `ecall` cycle of a system call.
    DEVICE bool system_call(uint32_t brk_first, uint32_t brk_last) {
        uint32_t number = x[17], a0 = x[10];
        uint32_t result = NOT_IMPLEMENTED;
        bool transfers = number == SYS_READ || number == SYS_WRITE;
        if (transfers) {
            if (!start_transfer(number, a0, result)) return false;
        } else if (number == SYS_EXIT || number == SYS_EXIT_GROUP) {
            m.halted = 1;
            result = a0;
        } else if (number == SYS_BRK) {
            if (a0 >= brk_first && a0 <= brk_last) m.brk = a0;
            result = m.brk;
        } else {
            static_assert(SYS_ABSENT_COUNT == 7, "all calls that fail instead of trapping");
            const uint32_t absent[SYS_ABSENT_COUNT] = {SYS_ABSENT[0], SYS_ABSENT[1], SYS_ABSENT[2], SYS_ABSENT[3],
                                                       SYS_ABSENT[4], SYS_ABSENT[5], SYS_ABSENT[6]};
            bool known = false;
#pragma unroll
            for (uint32_t i = 0; i < SYS_ABSENT_COUNT; i++) known = known || number == absent[i];
            if (!known) return stop(ENDED_EARLY, 0);
        }
        x[10] = result;
        record(result);
        if (transfers) {
            m.io_phase = IO_PHASE_SETUP;
            m.io_fd = a0;
            m.io_left = result;
        } else {
            m.pc += 4;
        }
        return true;
    }

    /// A later cycle of a `read` or `write`.
    DEVICE bool transfer() {
        if (m.io_phase == IO_PHASE_SETUP) {
            m.io_ptr = x[11];
        } else {
            uint32_t ptr = m.io_ptr;
            uint32_t size = m.unit();
            uint32_t old;
            if (m.io_fd == 0) {
                if (overlaps_code(ptr, 1)) return stop(ENDED_EARLY, 0);
                uint32_t at = m.input_pos - input_base;
                if (at > input_len || input_len - at < size) return stop(ENDED_EARLY, 0);
                if (!read(ptr >> 2, old)) return false;
                uint32_t data = 0;
                for (uint32_t i = 0; i < size; i++) data |= uint32_t(input[at + i]) << (8 * i);
                uint32_t merged = store_merge(size == 4 ? CLASS_SW : CLASS_SB, ptr, old, data);
                if (!write(ptr >> 2, merged)) return false;
                record(old);
                record(data);
                m.input_pos += size;
            } else {
                if (!read(ptr >> 2, old)) return false;
                record(old);
                written[m.io_fd - 1] += size;
            }
            m.io_ptr = ptr + size;
            m.io_left -= size;
        }
        m.end_cycle_of_transfer();
        return true;
    }

    /// One cycle. `op` is the instruction at pc; afterwards the one that follows it.
    DEVICE bool step(Instruction& op, uint32_t& index, uint32_t brk_first, uint32_t brk_last) {
        if (m.io_phase != IO_PHASE_NONE) {
            if (!transfer()) return false;
        } else {
            if (!op.executable()) return stop(ENDED_EARLY, 0);
            uint32_t cls = op.cls();
            if (cls == CLASS_ECALL) {
                if (!system_call(brk_first, brk_last)) return false;
            } else {
                uint32_t a = x[op.rs1()];
                uint32_t b = op.use_imm() ? op.imm : x[op.rs2()];
                uint32_t addr = a + op.imm;
                uint32_t next = m.pc + 4;
                uint32_t result = compute(op, a, b);
                if (op.is_load() || op.is_store()) {
                    if (addr & op.align_mask()) return stop(ENDED_EARLY, 0);
                    bool stores = op.is_store();
                    if (stores && addr - code.base < 4 * code.num_ops && overlaps_code(addr, 1)) {
                        return stop(ENDED_EARLY, 0);
                    }
                    uint32_t old;
                    if (!read(addr >> 2, old)) return false;
                    if (stores && !write(addr >> 2, store_merge(cls, addr, old, b))) return false;
                    record(old);
                    result = load_value(cls, op.is_signed(), addr, old);
                } else if (cls - CLASS_JAL <= CLASS_BGE - CLASS_JAL) {
                    bool jumps = cls <= CLASS_JALR || branch_taken(op, a, b);
                    result = next;
                    if (jumps) {
                        next = cls == CLASS_JALR ? addr & ~1u : op.imm;
                        if (code.at(code.index(next)).kind() == KIND_HOLE) return stop(ENDED_EARLY, 0);
                    }
                }
                if (op.writes()) x[op.rd()] = result;
                m.pc = next;
            }
        }
        uint32_t to = code.index(m.pc);
        if (to != index) op = code.at(to);
        index = to;
        return true;
    }
};

/// Executes segments and records their minimal traces.
///
/// - jobs: `[segments][JOB_WORDS]`: cycles, log2 of a chunk's cycles, first checkpoint, first value (two words, low
///   first), most values, whether every page used must be there, first byte and number of bytes of input, whether the
///   input's length is known, that length, 0.
/// - states: `[segments][STATE_WORDS]`, where they start.
/// - ranges: `[num_ranges]`, start and end of each part of the code, ascending.
/// - brk_first, brk_last: what `brk` grants.
/// - input: bytes of all segments.
/// - checkpoints: `[..][CHECKPOINT_WORDS]`, out: for each segment one per chunk, then its state and number of values
///   where it stopped.
/// - words: `[..]`, out: values read, as `vm::Recorder` records them.
/// - results: `[segments][RESULT_WORDS]`, out.
///
/// Grid: one block a segment; block: 1 thread. Tested against `vm::Recorder`.
KERNEL(32) execute_segments(Code code, Space space, const uint32_t* __restrict__ jobs,
                            const uint32_t* __restrict__ states, const uint2* __restrict__ ranges, uint32_t num_ranges,
                            uint32_t brk_first, uint32_t brk_last, const uint8_t* __restrict__ input,
                            uint32_t* __restrict__ checkpoints, uint32_t* __restrict__ words,
                            uint32_t* __restrict__ results) {
    SHARED(uint32_t, x, 32);
    SHARED(uint32_t, tags, TRANSLATIONS);
    SHARED(uint32_t, entries, TRANSLATIONS);
    SHARED(uint32_t, written, 3);
    uint32_t segment = blockIdx.x;
    const uint32_t* job = jobs + size_t(segment) * JOB_WORDS;
    uint32_t num_cycles = job[0];
    uint32_t log_chunk = job[1];
    uint32_t* checkpoint = checkpoints + size_t(job[2]) * CHECKPOINT_WORDS;

    Executor e;
    e.m.load(states + size_t(segment) * STATE_WORDS);
    for (uint32_t reg = 0; reg < 32; reg++) x[reg] = states[size_t(segment) * STATE_WORDS + STATE_X + reg];
    for (uint32_t i = 0; i < TRANSLATIONS; i++) entries[i] = 0, tags[i] = 0xffffffffu;
    e.space = space;
    e.code = code;
    e.ranges = ranges;
    e.num_ranges = num_ranges;
    e.directory = space.directories + size_t(segment) * TABLE_ENTRIES;
    e.x = x;
    e.tags = tags;
    e.entries = entries;
    e.words = words + (uint64_t(job[4]) << 32 | job[3]);
    e.num_words = 0;
    e.max_words = job[5];
    e.strict = job[6];
    e.input = input + job[7];
    e.input_len = job[8];
    e.input_base = e.m.input_pos;
    e.input_has_end = job[9];
    e.input_end = job[10];
    e.written = written;
    for (uint32_t fd = 0; fd < 3; fd++) written[fd] = 0;
    e.ended = ENDED_DONE;
    e.detail = 0;

    auto save = [&]() {
        e.m.store(checkpoint);
        for (uint32_t reg = 0; reg < 32; reg++) checkpoint[STATE_X + reg] = x[reg];
        checkpoint[STATE_WORDS] = e.num_words;
        checkpoint += CHECKPOINT_WORDS;
    };
    uint32_t chunk_mask = (1u << log_chunk) - 1;
    uint32_t index = code.index(e.m.pc);
    Instruction op = code.at(index);
    uint32_t cycle = 0;
    for (; cycle < num_cycles; cycle++) {
        if (e.m.halted != 0) {
            e.ended = ENDED_EARLY;
            break;
        }
        if ((cycle & chunk_mask) == 0) save();
        if (!e.step(op, index, brk_first, brk_last)) break;
    }
    checkpoint = checkpoints + (size_t(job[2]) + ((size_t(num_cycles) + chunk_mask) >> log_chunk)) * CHECKPOINT_WORDS;
    save();
    uint32_t* result = results + size_t(segment) * RESULT_WORDS;
    result[0] = e.ended;
    result[1] = cycle;
    result[2] = e.num_words;
    result[3] = e.detail;
}
EXPORT(execute_segments, 32)
