//! Witnesses of the built-in guests hold, and are the same however they are made.

use rewit::segment::Runner;
use rewit::stark::check::check;
use rewit::vm::Program;
use rewit::witness::{adopt_records, fill_tables, replay_reads};

fn guest(name: &str) -> (Program, Vec<u8>) {
    let elf = std::fs::read(format!("guests/prebuilt/{name}.elf")).unwrap();
    let input = ["txt", "bin"]
        .iter()
        .find_map(|ext| std::fs::read(format!("guests/inputs/{name}-small.{ext}")).ok())
        .unwrap();
    (Program::from_elf(elf).unwrap(), input)
}

#[test]
fn every_guest_satisfies_every_constraint() {
    for name in ["fib", "sha2-chain", "keccak-chain", "sort", "ecdsa", "block"] {
        let (program, input) = guest(name);
        let mut runner = Runner::new(&program, &input, 12, 6).unwrap();
        let mut checked = 0;
        for index in 0.. {
            // The first segments, and a sample of the others.
            if index > 1 && index % 61 != 0 {
                if runner.skip_segment().is_none() {
                    break;
                }
                continue;
            }
            let Some(recording) = runner.next_segment() else { break };
            let segment = &recording.segment;
            let records = replay_reads(&program, segment, &recording.reads).unwrap();
            let log = records.system_calls(&program);
            let witness = fill_tables(&program, segment, &records, Vec::new()).unwrap();
            let report = check(&program, &witness, &log);
            assert!(report.is_ok(), "{name} segment {index}: {report:#?}");
            let adopted = adopt_records(&program, segment, records.into_records()).unwrap();
            let again = fill_tables(&program, segment, &adopted, Vec::new()).unwrap();
            assert_eq!(witness.digest(), again.digest());
            checked += 1;
        }
        assert!(checked >= 2, "{name}: {checked} segments checked");
    }
}
