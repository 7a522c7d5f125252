//! That `layout.h` says what the machine's own files say.

#[path = "../../../build/machine.rs"]
mod machine;

use machine::{MACHINE, ROW_KINDS, STATE, SYS_ABSENT};

use crate::segment::LOG_PAGE_BYTES;
use crate::ship::{ROW_KIND_SHIFT, Record, RowKind};
use crate::vm::{IoPhase, MAX_TRANSFER_BYTES, MachineState};

#[test]
fn numbers_are_those_of_the_machine() {
    let kinds = [
        RowKind::Instruction,
        RowKind::Setup,
        RowKind::MoveInByte,
        RowKind::MoveInWord,
        RowKind::MoveOutByte,
        RowKind::MoveOutWord,
    ];
    for (kind, (name, number)) in kinds.into_iter().zip(ROW_KINDS) {
        assert_eq!(kind as u32, number, "{name}");
    }
    macro_rules! offset {
        ($field:ident) => {
            std::mem::offset_of!(MachineState, $field) as u32 / 4
        };
    }
    let state = [
        ("PC", offset!(pc)),
        ("X", offset!(x)),
        ("BRK", offset!(brk)),
        ("INPUT_POS", offset!(input_pos)),
        ("IO_PHASE", offset!(io_phase)),
        ("IO_FD", offset!(io_fd)),
        ("IO_PTR", offset!(io_ptr)),
        ("IO_LEFT", offset!(io_left)),
        ("HALTED", offset!(halted)),
        ("WORDS", MachineState::BYTES as u32 / 4),
    ];
    assert_eq!(state, STATE);
    let machine = [
        ("ROW_KIND_SHIFT", ROW_KIND_SHIFT),
        ("RECORD_WORDS", size_of::<Record>() as u32 / 4),
        ("CHECKPOINT_WORDS", MachineState::BYTES as u32 / 4 + 1),
        ("IO_PHASE_NONE", IoPhase::None as u32),
        ("IO_PHASE_SETUP", IoPhase::Setup as u32),
        ("IO_PHASE_MOVE", IoPhase::Move as u32),
        ("SYS_READ", crate::vm::SYS_READ),
        ("SYS_WRITE", crate::vm::SYS_WRITE),
        ("SYS_EXIT", crate::vm::SYS_EXIT),
        ("SYS_EXIT_GROUP", crate::vm::SYS_EXIT_GROUP),
        ("SYS_BRK", crate::vm::SYS_BRK),
        ("NOT_IMPLEMENTED", crate::vm::NOT_IMPLEMENTED),
        ("MAX_TRANSFER_BYTES", MAX_TRANSFER_BYTES),
        ("LOG_PAGE_BYTES", LOG_PAGE_BYTES),
    ];
    assert_eq!(machine, MACHINE);
    assert_eq!(SYS_ABSENT, crate::vm::SYS_ABSENT);
}

#[test]
fn the_header_has_every_column() {
    let text = include_str!(concat!(env!("OUT_DIR"), "/layout.h"));
    let cpu = crate::witness::layout::GROUPS;
    for (name, first) in cpu {
        let line = format!("constexpr uint32_t COL_{} = {first}u;", name.to_uppercase());
        assert!(text.contains(&line), "{line}");
    }
    assert!(text.contains("constexpr uint32_t KIND_ADDI = 19u;"));
    assert!(text.contains("constexpr uint32_t CLASS_FENCE = 27u;"));
}
