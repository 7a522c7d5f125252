//! Every reason to refuse a statement by itself, and every one to refuse its system calls.

mod common;
#[macro_use]
mod statements;

use common::CODE;
use rewit::stark::{Cell, ChainError, Event, Statement, StatementError};
use rewit::vm::{Cause, MAX_TRANSFER_BYTES};
use rewit::witness::layout::{Class, MAX_LOG_ROWS, REGISTER_BASE, public};
use statements::{Run, is_call, is_move};

#[test]
fn boundaries_are_lists_of_cells() {
    use StatementError::{BoundaryAddress, BoundaryOrder, Registers};
    let run = Run::io(6);
    let words = run.statements[1].boundary.len() - 32;
    assert!(words > 2);
    malformed!(run, |s| s[1].boundary.swap(0, 1), BoundaryOrder { .. });
    malformed!(
        run,
        |s| s[1].boundary.insert(0, run.statements[1].boundary[0]),
        BoundaryOrder { .. }
    );
    malformed!(
        run,
        |s| s[1].boundary.swap(words - 1, words),
        BoundaryOrder { .. }
    );
    for register in 0..32 {
        malformed!(
            run,
            |s| {
                s[1].boundary.remove(words + register);
            },
            Registers { found: 31 }
        );
    }
    malformed!(run, |s| s[1].boundary.clear(), Registers { found: 0 });
    for address in [REGISTER_BASE + 32, u32::MAX] {
        malformed!(
            run,
            |s| s[1].boundary.push(Cell {
                address,
                first: 0,
                last: 0
            }),
            BoundaryAddress { .. }
        );
    }
}

#[test]
fn public_values_are_in_range_and_follow_on() {
    use StatementError::{Position, PublicValue};
    let run = Run::io(4);
    let idle = run.segment(3, |v| {
        use public::*;
        v[START_SETUP] + v[START_MOVE] + v[END_SETUP] + v[END_MOVE] == 0
    });
    let most = |index: usize| match index {
        public::START_PC | public::END_PC => REGISTER_BASE - 1,
        public::START_LEFT | public::END_LEFT => MAX_TRANSFER_BYTES,
        public::NUM_CYCLES => 1 << MAX_LOG_ROWS,
        public::END_STEP => 4,
        public::START_PTR | public::END_PTR => 0xffff,
        i if i == public::START_PTR + 1 || i == public::END_PTR + 1 => 0xffff,
        _ => 1,
    };
    for index in 0..public::COUNT {
        for value in [most(index) + 1, 1 << 31, u32::MAX] {
            malformed!(run, |s| s[idle].public[index] = value, PublicValue { .. });
        }
        // Positions of transfers that are not in progress.
        let fixed = [public::START_PC, public::END_PC, public::NUM_CYCLES];
        if index != public::START_SETUP && index != public::START_MOVE && !fixed.contains(&index) {
            malformed!(run, |s| s[idle].public[index] = 1, Position { .. });
        }
    }
    malformed!(
        run,
        |s| s[idle].public[public::NUM_CYCLES] = 0,
        PublicValue { .. }
    );
    for index in [public::START_PC, public::END_PC] {
        refused!(
            run,
            |s| s[idle].public[index] ^= 1,
            ChainError::StartPc { .. }
        );
    }

    // A transfer in progress, at both ends.
    let moving = run.segment(2, |v| {
        v[public::START_MOVE] == 1 && v[public::END_MOVE] == 1
    });
    malformed!(
        run,
        |s| s[moving].public[public::START_LEFT] = 0,
        PublicValue { .. }
    );
    malformed!(
        run,
        |s| s[moving].public[public::START_SETUP] = 1,
        Position {
            index: public::START_SETUP,
            ..
        }
    );
    for index in [
        public::END_SETUP,
        public::END_MOVE,
        public::END_PTR,
        public::END_PTR + 1,
        public::END_LEFT,
    ] {
        malformed!(
            run,
            |s| s[moving].public[index] ^= 1,
            Position { index: i, .. } if i == index
        );
    }
    malformed!(
        run,
        |s| s[moving].public[public::END_STEP] = 0,
        Position { .. }
    );
    // Consistent with itself, but not with the segment before.
    refused!(
        run,
        |s| {
            let Statement { public, log, .. } = &mut s[moving];
            public[public::START_LEFT] += 4;
            public[public::END_LEFT] += 4;
            log.iter_mut().for_each(|event| event.left += 4);
        },
        ChainError::StartPosition {
            index: public::START_LEFT,
            ..
        }
    );
    refused!(
        run,
        |s| {
            let Statement { public, log, .. } = &mut s[moving];
            public[public::START_PTR] += 4;
            public[public::END_PTR] += 4;
            log.iter_mut().for_each(|event| event.a += 4);
        },
        ChainError::StartPosition {
            index: public::START_PTR,
            ..
        }
    );
    // The transfer is dropped at the start of a segment.
    refused!(
        run,
        |s| {
            let Statement { public, log, .. } = &mut s[moving];
            for (index, value) in public.iter_mut().enumerate() {
                if ![public::START_PC, public::END_PC, public::NUM_CYCLES].contains(&index) {
                    *value = 0;
                }
            }
            log.clear();
        },
        ChainError::StartPosition {
            index: public::START_MOVE,
            ..
        }
    );
}

#[test]
fn logs_are_what_happened_row_by_row() {
    use StatementError::{ExitNotLast, Field, Kind, Missing, RowOrder, RowRange, Stray, TooLong};
    let run = Run::io(6);
    let last = run.statements.len() - 1;
    for (s, statement) in run.statements.iter().enumerate() {
        let (log, num_cycles) = (&statement.log, statement.public[public::NUM_CYCLES]);
        for (e, event) in log.iter().enumerate() {
            malformed!(
                run,
                |s2| s2[s].log.insert(e, *event),
                RowOrder { .. } | Missing { .. }
            );
            if e > 0 {
                malformed!(
                    run,
                    |s2| s2[s].log.swap(e - 1, e),
                    RowOrder { .. } | Missing { .. } | Stray { .. } | Field { .. }
                );
            }
            // Absent calls, and a `brk` that asks.
            let traceless = [80, 57].contains(&event.a) || (event.a, event.b) == (214, 0);
            let dropped = run.changed(|s2| {
                s2[s].log.remove(e);
            });
            // That a call without a trace was made is for the proof.
            assert_eq!(
                dropped.is_ok(),
                is_call(event) && traceless,
                "{event:?}: {dropped:?}"
            );
            for kind in [0, 17, 20, 27, 31, 33, u32::MAX] {
                malformed!(run, |s2| s2[s].log[e].kind = kind, Kind { .. });
            }
            malformed!(
                run,
                |s2| s2[s].log[e].left ^= 1 << (e % 31),
                Field { field: "left", .. }
            );
            if !is_call(event) {
                malformed!(
                    run,
                    |s2| s2[s].log[e].clk += 1,
                    RowOrder { .. } | Missing { .. } | RowRange { .. }
                );
            }
            if is_move(event) {
                malformed!(
                    run,
                    |s2| s2[s].log[e].a ^= 1 << (e % 32),
                    Field { field: "a", .. }
                );
                for kind in [Class::Lb, Class::Lw, Class::Sb, Class::Sw] {
                    let kind = kind as u32;
                    if kind != event.kind {
                        let result = run.changed(|s2| s2[s].log[e].kind = kind);
                        assert!(result.is_err(), "{event:?} as {kind}");
                    }
                }
            }
            if !is_call(event) {
                malformed!(
                    run,
                    |s2| s2[s].log[e].result ^= 1 << (e % 32),
                    Field {
                        field: "result",
                        ..
                    }
                );
            }
        }
        let row = log.last().map_or(0, |event| event.clk + 1);
        let stray = |kind: u32, clk: u32| Event {
            clk,
            kind,
            a: 0,
            b: 0,
            result: 0,
            left: 0,
        };
        if s < last && row < num_cycles {
            for kind in [Event::SETUP, Class::Lb as u32, Class::Sw as u32] {
                malformed!(run, |s2| s2[s].log.push(stray(kind, row)), Stray { .. });
            }
            malformed!(
                run,
                |s2| s2[s].log.push(stray(Class::Ecall as u32, num_cycles)),
                RowRange { .. }
            );
        }
    }
    // Bytes where a word is due, and bits above a byte.
    let (s, e) = run.find(0, |event| event.kind == Class::Sb as u32);
    malformed!(run, |s2| s2[s].log[e].b |= 0x100, Field { field: "b", .. });
    let (s, e) = run.find(0, |event| event.kind == Class::Lw as u32);
    malformed!(
        run,
        |s2| {
            let event = &mut s2[s].log[e];
            (event.kind, event.result) = (Class::Lb as u32, event.b & 0xff);
        },
        Field { field: "kind", .. }
    );
    // A transfer that stops early.
    let (s, e) = run.find(1, |event| event.kind == Event::SETUP && event.left > 4);
    malformed!(run, |s2| s2[s].log[e].left = 0, Field { field: "left", .. });
    let (s, e) = run.find(1, |event| is_call(event) && event.a == 64);
    malformed!(
        run,
        |s2| {
            let event = &mut s2[s].log[e];
            event.result = MAX_TRANSFER_BYTES + 1;
            event.left = event.result;
        },
        TooLong { .. }
    );
    malformed!(
        run,
        |s2| s2[last].public[public::NUM_CYCLES] += 1,
        ExitNotLast { .. }
    );
}

#[test]
fn calls_return_and_move_what_the_machine_does() {
    use ChainError::{Direction, Input, Result as WrongResult, Trap};
    let run = Run::io(8);
    for number in [214, 80, 57, 93] {
        let (s, e) = run.find(0, |event| is_call(event) && event.a == number);
        for bit in 0..32 {
            refused!(
                run,
                |s2| s2[s].log[e].result ^= 1 << bit,
                WrongResult { number: n, .. } if n == number
            );
        }
        refused!(
            run,
            |s2| s2[s].log[e].a = 1000,
            Trap {
                cause: Cause::UnknownSyscall { number: 1000 },
                ..
            }
        );
    }
    for number in [63, 64] {
        let (s, e) = run.find(2, |event| is_call(event) && event.a == number);
        for fd in [4, 7, u32::MAX, u32::from(number == 63)] {
            refused!(
                run,
                |s2| s2[s].log[e].b = fd,
                Trap {
                    cause: Cause::BadFileDescriptor { .. },
                    ..
                }
            );
        }
        // The transfer moves what the call returned, but not what was asked for.
        let setup = run.find(usize::from(number == 64), |event| {
            event.kind == Event::SETUP && event.left == 4
        });
        let len = run.statements[setup.0].log[setup.1].b;
        for other in [len - 1, len + 1, 0, 1 << 20] {
            refused!(
                run,
                |s2| s2[setup.0].log[setup.1].b = other,
                WrongResult { .. }
            );
        }
    }
    // A `read` that is cut at the end of the input: any length above gives the same result.
    let (s, e) = run.find(0, |event| event.kind == Event::SETUP && event.b == 40);
    let moved = run.statements[s].log[e].left;
    assert!(moved < 40);
    assert!(run.changed(|s2| s2[s].log[e].b = moved).is_ok());
    refused!(run, |s2| s2[s].log[e].b = moved - 1, WrongResult { .. });
    // One that finds nothing left moves nothing, but its buffer must be in the address space.
    let (s, e) = run.find(0, |event| event.kind == Event::SETUP && event.b == 5);
    refused!(
        run,
        |s2| s2[s].log[e].a = u32::MAX - 3,
        Trap {
            cause: Cause::BadBuffer { .. },
            ..
        }
    );
    let result = run.changed(|s2| s2[s].log[e].a = u32::MAX - 4);
    assert_eq!(result, Ok(run.outcome.clone()));
    // Data.
    for nth in [0, 3, 9] {
        let sorts = [Class::Sb as u32, Class::Sw as u32];
        let (s, e) = run.find(nth, |event| sorts.contains(&event.kind));
        refused!(run, |s2| s2[s].log[e].b ^= 1, Input { .. });
    }

    // A `read` into code, by addresses that agree with each other.
    let (s, e) = run.find(0, |event| event.kind == Event::SETUP && event.left == 17);
    let moves = run.statements[s].log[e + 1..]
        .iter()
        .take_while(|event| is_move(event))
        .count();
    let target = CODE - 4;
    let shift = target.wrapping_sub(run.statements[s].log[e].a & !3);
    refused!(
        run,
        |s2| for event in &mut s2[s].log[e..=e + moves] {
            event.a = event.a.wrapping_add(shift);
        },
        Trap {
            cause: Cause::StoreIntoCode { addr: CODE },
            ..
        }
    );

    // A `write` that goes on as a `read`.
    let run = Run::io(4);
    let moving = run.segment(2, |v| {
        v[public::START_MOVE] == 1 && v[public::END_MOVE] == 1
    });
    refused!(
        run,
        |s2| for event in &mut s2[moving].log {
            let (kind, b) = match event.kind == Class::Lb as u32 {
                true => (Class::Sb, event.result),
                false => (Class::Sw, event.b),
            };
            (event.kind, event.b, event.result) = (kind as u32, b, 0);
        },
        Direction {
            expected: "write",
            ..
        }
    );
}

/// The largest transfer fits, and is too much once there is any output.
#[test]
fn output_is_limited() {
    let run = Run::io(8);
    let largest = |s2: &mut Vec<Statement>, s: usize, e: usize| {
        s2.truncate(s + 1);
        let Statement { public, log, .. } = &mut s2[s];
        log.truncate(e + 1);
        (log[e - 1].result, log[e - 1].left) = (MAX_TRANSFER_BYTES, MAX_TRANSFER_BYTES);
        // More is asked for than one call moves.
        (log[e].b, log[e].left) = (MAX_TRANSFER_BYTES + 5, MAX_TRANSFER_BYTES);
        public[public::NUM_CYCLES] = log[e].clk + 1;
        public[public::END_SETUP] = 0;
        public[public::END_MOVE] = 1;
        public[public::END_PTR] = log[e].a & 0xffff;
        public[public::END_PTR + 1] = log[e].a >> 16;
        public[public::END_STEP] = 0;
        public[public::END_LEFT] = MAX_TRANSFER_BYTES;
    };
    let writes = |nth: usize| {
        let (s, e) = run.find(nth, |event| is_call(event) && event.a == 64 && event.b == 1);
        (s, e + 1)
    };
    let (s, e) = writes(0);
    refused!(run, |s2| largest(s2, s, e), ChainError::NotExited { .. });
    let (s, e) = writes(2);
    refused!(
        run,
        |s2| largest(s2, s, e),
        ChainError::Trap {
            cause: Cause::TooMuchOutput { fd: 1 },
            ..
        }
    );
}
