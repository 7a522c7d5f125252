//! Numbers of the machine and of its records, for `layout.h`; a test compares them with the files they are from.

/// Row kinds and their numbers, as in `RowKind`.
pub(super) const ROW_KINDS: [(&str, u32); 6] = [
    ("INSTRUCTION", 0),
    ("SETUP", 1),
    ("MOVE_IN_BYTE", 2),
    ("MOVE_IN_WORD", 3),
    ("MOVE_OUT_BYTE", 4),
    ("MOVE_OUT_WORD", 5),
];

/// Word offsets of the fields of `MachineState`, and its size in words.
pub(super) const STATE: [(&str, u32); 10] = [
    ("PC", 0),
    ("X", 1),
    ("BRK", 33),
    ("INPUT_POS", 34),
    ("IO_PHASE", 35),
    ("IO_FD", 36),
    ("IO_PTR", 37),
    ("IO_LEFT", 38),
    ("HALTED", 39),
    ("WORDS", 40),
];

/// Other numbers of the machine and of its records.
pub(super) const MACHINE: [(&str, u32); 14] = [
    ("ROW_KIND_SHIFT", 29),
    ("RECORD_WORDS", 9),
    ("CHECKPOINT_WORDS", 41),
    ("IO_PHASE_NONE", 0),
    ("IO_PHASE_SETUP", 1),
    ("IO_PHASE_MOVE", 2),
    ("SYS_READ", 63),
    ("SYS_WRITE", 64),
    ("SYS_EXIT", 93),
    ("SYS_EXIT_GROUP", 94),
    ("SYS_BRK", 214),
    ("NOT_IMPLEMENTED", -38i32 as u32),
    ("MAX_TRANSFER_BYTES", 1 << 30),
    ("LOG_PAGE_BYTES", 10),
];

/// System calls that fail with `NOT_IMPLEMENTED` instead of trapping.
pub(super) const SYS_ABSENT: [u32; 7] = [29, 56, 57, 62, 80, 169, 403];
