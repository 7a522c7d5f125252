//! Cutting a run anywhere changes nothing, and every segment replays itself.

mod common;

use std::collections::BTreeMap;

use common::{CODE, DATA, Rng, asm, program};
use rewit::segment::{PAGE_BYTES, Pages, Runner};
use rewit::vm::{Memory, NoRecord, Program, Stop, Vm};

const INPUT: &[u8] = b"The quick brown fox jumps over the lazy dog, 0123456789 times.";
const EXIT: u32 = 42;

/// Reads in odd pieces to odd addresses past the end of the input, writes to all outputs, moves
/// the break, and loops over memory on many pages.
fn busy_program() -> Program {
    let mut code = vec![];
    let data = DATA + 1021;
    for (len, offset) in [
        (1, 0),
        (3, 1),
        (4, 7),
        (0, 0),
        (17, 8),
        (9, 3),
        (40, 64),
        (5, 0),
        (0, 2),
    ] {
        code.extend(asm::syscall(63, &[0, data + offset, len]));
        code.extend(asm::syscall(64, &[1 + offset % 3, data + offset, len]));
    }
    code.extend(asm::syscall(214, &[0]));
    code.extend([asm::addi(10, 10, 100), asm::addi(17, 0, 214), asm::ECALL]);
    code.extend(asm::syscall(80, &[1, DATA]));
    // Read-modify-write a word on each of 40 pages, 1 KiB apart.
    code.extend(asm::li(5, DATA));
    code.push(asm::addi(6, 0, 40));
    let start = code.len();
    code.extend([
        asm::load(2, 7, 5, 4),
        asm::r(0, 0, 7, 7, 6),
        asm::sw(5, 7, 4),
        asm::load(4, 8, 5, 1023),
        asm::store(0, 5, 7, 1020),
        asm::addi(5, 5, 1024),
        asm::addi(6, 6, -1),
    ]);
    let back = (start as i32 - code.len() as i32) * 4;
    code.push(asm::branch(1, 6, 0, back));
    code.extend(asm::syscall(64, &[1, DATA + 3, 50]));
    code.extend(asm::syscall(93, &[EXIT]));
    let mut rng = Rng::new(3);
    let data: Vec<u8> = (0..8000).map(|_| rng.word() as u8).collect();
    Program::from_elf(program(&code, &data)).unwrap()
}

struct Whole {
    cycles: u64,
    outputs: [Vec<u8>; 3],
    state: rewit::vm::MachineState,
}

fn run_whole(program: &Program) -> Whole {
    let mut vm = Vm::new(program, INPUT).unwrap();
    assert_eq!(vm.run(u64::MAX), Stop::Exit(EXIT));
    let outputs = [
        vm.stdout().to_vec(),
        vm.stderr().to_vec(),
        vm.journal().to_vec(),
    ];
    Whole {
        cycles: vm.cycle(),
        outputs,
        state: vm.state(),
    }
}

fn outputs(vm: &Vm<'_>) -> [Vec<u8>; 3] {
    [
        vm.stdout().to_vec(),
        vm.stderr().to_vec(),
        vm.journal().to_vec(),
    ]
}

fn copy_memory(from: &Memory, program: &Program) -> Memory {
    let mut memory = program.initial_memory().unwrap();
    for number in (DATA >> 10)..(DATA >> 10) + 64 {
        memory.load_page(number, from.page(number));
    }
    memory
}

#[test]
fn cutting_at_any_cycle_changes_nothing() {
    let program = busy_program();
    let whole = run_whole(&program);
    assert!(whole.outputs.iter().all(|o| !o.is_empty()));
    for cut in 0..=whole.cycles {
        let mut first = Vm::new(&program, INPUT).unwrap();
        let stop = first.run(cut);
        assert_eq!(
            stop,
            if cut < whole.cycles {
                Stop::Limit
            } else {
                Stop::Exit(EXIT)
            }
        );
        assert_eq!(first.cycle(), cut);
        let state = first.state();
        assert!(state.is_canonical(), "{state:?}");
        let rest = &INPUT[state.input_pos as usize..];
        let memory = copy_memory(first.memory(), &program);
        let end = Some(INPUT.len() as u32);
        let mut second = Vm::resume(&program, memory, state, cut, rest, end).unwrap();
        assert_eq!(second.run(u64::MAX), Stop::Exit(EXIT));
        assert_eq!(second.cycle(), whole.cycles);
        assert_eq!(second.state(), whole.state);
        let mut joined = outputs(&first);
        for (all, more) in joined.iter_mut().zip(outputs(&second)) {
            all.extend(more);
        }
        assert_eq!(joined, whole.outputs);
    }
}

#[test]
fn single_cycles_on_both_paths_agree() {
    let program = busy_program();
    let mut fast = Vm::new(&program, INPUT).unwrap();
    let mut reference = Vm::new(&program, INPUT).unwrap();
    loop {
        let stop = fast.run_with(1, &mut NoRecord);
        assert_eq!(stop, reference.run_reference(1));
        assert_eq!(fast.state(), reference.state());
        if stop != Stop::Limit {
            break;
        }
    }
    assert_eq!(
        fast.memory().bytes(DATA, 1 << 16),
        reference.memory().bytes(DATA, 1 << 16)
    );
}

fn as_map(pages: &Pages) -> BTreeMap<u32, Vec<u8>> {
    assert!(pages.numbers.is_sorted_by(|a, b| a < b));
    assert_eq!(
        pages.bytes.len(),
        pages.numbers.len() << pages.log_page_bytes
    );
    let contents = pages
        .bytes
        .chunks_exact(1 << pages.log_page_bytes)
        .map(<[u8]>::to_vec);
    pages.numbers.iter().copied().zip(contents).collect()
}

#[test]
fn segments_replay_and_images_add_up() {
    let program = busy_program();
    let whole = run_whole(&program);
    for log_cycles in 0..=10 {
        for log_chunk in [0, log_cycles / 2, log_cycles] {
            let mut runner = Runner::new(&program, INPUT, log_cycles, log_chunk).unwrap();
            let mut skipper = Runner::new(&program, INPUT, log_cycles, log_chunk).unwrap();
            let mut image = as_map(&runner.image());
            let mut previous_end = runner.state();
            while let Some(recording) = runner.next_segment() {
                let segment = &recording.segment;
                recording.self_replay(&program).unwrap();
                assert_eq!(segment.start, previous_end);
                previous_end = segment.end;
                let chunks = u64::from(segment.num_cycles).div_ceil(1 << log_chunk);
                assert_eq!(recording.reads.checkpoints.len() as u64, chunks);

                // What it touched is what the image held.
                let zero = vec![0; PAGE_BYTES];
                for (number, contents) in as_map(&recording.touched) {
                    assert_eq!(*image.get(&number).unwrap_or(&zero), contents);
                }
                let wide = as_map(&runner.widen(&recording.touched, 12));
                for (number, contents) in wide {
                    for (part, contents) in (4 * number..).zip(contents.chunks_exact(1024)) {
                        assert_eq!(image.get(&part).unwrap_or(&zero), contents);
                    }
                }
                // The next image is this one with the pages written replaced.
                assert_eq!(recording.written, runner.written_in_previous());
                for (number, contents) in as_map(&runner.pages(&recording.written)) {
                    image.insert(number, contents);
                }
                image.retain(|_, contents| *contents != zero);
                assert_eq!(image, as_map(&runner.image()));

                let skipped = skipper.skip_segment().unwrap();
                assert_eq!(skipped, *segment);
                assert_eq!(skipper.written_in_previous(), runner.written_in_previous());
                assert_eq!(skipper.dirty_since_start(), runner.dirty_since_start());
                assert_eq!(skipper.outputs(), runner.outputs());
            }
            assert_eq!(runner.stop(), Some(Stop::Exit(EXIT)));
            assert_eq!(skipper.skip_segment(), None);
            assert_eq!(runner.cycle(), whole.cycles);
            assert_eq!(runner.state(), whole.state);
            assert_eq!(runner.outputs().map(<[u8]>::to_vec), whole.outputs);
            assert_eq!(as_map(&skipper.image()), image);
        }
    }
}

#[test]
fn a_segment_that_lacks_something_does_not_replay() {
    let program = busy_program();
    let mut runner = Runner::new(&program, INPUT, 9, 4).unwrap();
    let good = runner.next_segment().unwrap();
    let fails = |what: &str, change: &dyn Fn(&mut rewit::segment::Recording)| {
        let mut bad = good.clone();
        change(&mut bad);
        assert!(bad.self_replay(&program).is_err(), "{what}");
    };
    assert!(good.input_ends && good.touched.numbers.len() > 1);
    fails("a page is missing", &|r| {
        let len = r.touched.bytes.len();
        r.touched.numbers.pop();
        r.touched.bytes.truncate(len - PAGE_BYTES);
    });
    // A byte that is not read may differ, so change all.
    fails("a page differs", &|r| {
        r.touched.bytes.iter_mut().for_each(|b| *b ^= 1);
    });
    fails("a page number is out of range", &|r| {
        *r.touched.numbers.last_mut().unwrap() = 1 << 22;
    });
    fails("a value read differs", &|r| r.reads.words[3] ^= 1);
    fails("a checkpoint differs", &|r| {
        r.reads.checkpoints[3].state.x[5] ^= 1;
    });
    fails("a page written is missing", &|r| _ = r.written.pop());
    fails("the input is short", &|r| _ = r.input.pop());
    fails("the input's end is unknown", &|r| r.input_ends = false);
    fails("the end state differs", &|r| r.segment.end.x[9] ^= 1);
    fails("the start state differs", &|r| r.segment.start.pc += 4);
    fails("the start state is not canonical", &|r| {
        r.segment.start.x[0] = 1;
    });
    fails("it has a cycle more", &|r| r.segment.num_cycles += 1);
}

#[test]
fn a_trap_ends_the_last_segment_before_it() {
    let code = [asm::FENCE, asm::FENCE, asm::FENCE, asm::FENCE, asm::EBREAK];
    let program = Program::from_elf(program(&code, &[])).unwrap();
    for log_cycles in 0..4 {
        let mut runner = Runner::new(&program, &[], log_cycles, 0).unwrap();
        let mut cycles = 0;
        while let Some(recording) = runner.next_segment() {
            recording.self_replay(&program).unwrap();
            cycles += recording.segment.num_cycles;
        }
        assert_eq!(cycles, 4);
        assert_eq!(runner.state().pc, CODE + 16);
        assert!(matches!(runner.stop(), Some(Stop::Trap(trap)) if trap.cycle == 4));
    }
}

#[test]
fn a_resumed_machine_says_when_input_is_missing() {
    let mut code = asm::syscall(63, &[0, DATA, 8]);
    code.extend(asm::syscall(93, &[0]));
    let program = Program::from_elf(program(&code, &[0; 8])).unwrap();
    let start = program.initial_state();
    let run = |input, end| {
        let memory = program.initial_memory().unwrap();
        Vm::resume(&program, memory, start, 0, input, end)
            .unwrap()
            .run(u64::MAX)
    };
    assert_eq!(run(b"12345678", None), Stop::Exit(0));
    assert_eq!(run(b"1234", None), Stop::InputMissing);
    assert_eq!(run(b"1234", Some(8)), Stop::InputMissing);
    assert_eq!(run(b"1234", Some(4)), Stop::Exit(0));
}
