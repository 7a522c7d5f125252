//! The proof-size suite and its command.

use std::fs;

use assert_cmd::Command;
use p3_air::{Air, BaseAir, WindowAccess};
use p3_batch_stark::{ProverData, StarkInstance, prove_batch, verify_batch};
use p3_field::PrimeCharacteristicRing;
use p3_lookup::{Count, InteractionBuilder, LookupBus};
use p3_matrix::dense::RowMajorMatrix;
use rewit::Error;
use rewit::measure::proof_size::{Kind, Options, Proved, Subject, Synthetic, measure, suite};
use rewit::stark::config::{Challenge, Config, Val, config};
use rewit::stark::{Grinding, Params, Shape, Table, size};

const PARAMS: Params = Params {
    log_blowup: 1,
    num_queries: 30,
    log_arity: 2,
    log_final_len: 2,
    cap_height: 1,
    extension: 4,
    grinding: Grinding {
        lookup: 0,
        out_of_domain: 3,
        batch: 2,
        commit: 1,
        query: 4,
    },
};

#[test]
fn a_synthetic_proof_has_the_modelled_parts() {
    for extension in [4, 5] {
        for (log_height, width) in [(8, 1), (9, 5), (10, 40)] {
            let subject = Synthetic::new(log_height, width);
            let shape = subject.shape();
            let [table] = shape.tables[..] else {
                panic!("one table");
            };
            let expected = Table {
                log_height,
                width,
                next: true,
                quotient_chunks: 2,
                constraints: 2 * width,
                degree: 3,
                ..Table::default()
            };
            assert_eq!(table, expected);
            let params = Params {
                extension,
                ..PARAMS
            };
            let measured = measure(&subject, &params).expect("proves and verifies");
            let modelled = size::batch(&shape, &params);
            // Chance moves the paths of so few queries; everything else is exact.
            let paths = modelled.input_paths + modelled.fri_paths;
            let difference = measured.bytes as f64 - modelled.total();
            assert!(difference.abs() < 0.25 * paths, "{difference} {modelled:?}");
            assert!(
                (difference + paths).rem_euclid(32.0) <= 3.0
                    || (difference + paths).rem_euclid(32.0) >= 29.0,
                "whole digests: {difference} {modelled:?}"
            );
        }
    }
}

/// Bytes looked up, and the table that holds them.
#[derive(Clone, Copy)]
enum ByteAir {
    Query { width: usize },
    Table,
}

const BYTES: LookupBus<'static> = LookupBus::new("bytes");

impl BaseAir<Val> for ByteAir {
    fn width(&self) -> usize {
        match self {
            Self::Query { width } => *width,
            Self::Table => 1,
        }
    }

    fn preprocessed_trace(&self) -> Option<RowMajorMatrix<Val>> {
        let bytes = || RowMajorMatrix::new_col((0..256).map(Val::from_u32).collect());
        matches!(self, Self::Table).then(bytes)
    }

    fn preprocessed_width(&self) -> usize {
        usize::from(matches!(self, Self::Table))
    }

    fn main_next_row_columns(&self) -> Vec<usize> {
        Vec::new()
    }

    fn preprocessed_next_row_columns(&self) -> Vec<usize> {
        Vec::new()
    }
}

impl<AB> Air<AB> for ByteAir
where
    AB: InteractionBuilder<F = Val>,
{
    fn eval(&self, builder: &mut AB) {
        let main = builder.main();
        let row: Vec<AB::Expr> = main.current_slice().iter().map(|x| (*x).into()).collect();
        match self {
            Self::Query { .. } => {
                for cell in row {
                    BYTES.lookup_key(builder, [cell], Count::bounded(AB::Expr::ONE, 1));
                }
            }
            Self::Table => {
                let byte: AB::Expr = builder.preprocessed().current_slice()[0].into();
                BYTES.table_entry(builder, [byte], row[0].clone());
            }
        }
    }
}

#[test]
fn a_batch_with_lookups_and_fixed_columns_has_the_modelled_parts() {
    type E = Challenge<5>;
    let (width, log_height) = (7, 11);
    let airs = [ByteAir::Query { width }, ByteAir::Table];
    let cells = (0..width << log_height).map(|i| (i * i + i / 3) as u32 % 256);
    let mut counts = [0u32; 256];
    let cells = cells.inspect(|byte| counts[*byte as usize] += 1);
    let query = RowMajorMatrix::new(cells.map(Val::from_u32).collect(), width);
    let table = RowMajorMatrix::new_col(counts.map(Val::from_u32).to_vec());

    let params = Params {
        extension: 5,
        log_final_len: 3,
        ..PARAMS
    };
    let config: Config<E> = config(&params, &[1; 32]);
    let heights = [log_height, 8];
    let data = ProverData::from_airs_and_degrees(&config, &airs, &heights).expect("commits");
    let (traces, public) = ([&query, &table], [Vec::new(), Vec::new()]);
    let instances = StarkInstance::new_multiple(&airs, &traces, &public);
    let proof = prove_batch(&config, &instances, &data).expect("proves");
    verify_batch(&config, &airs, &proof, &public, &data.common).expect("verifies");
    let bytes = postcard::to_allocvec(&proof).expect("serializes").len() as f64;

    let tables = airs.iter().zip(heights);
    let tables = tables.map(|(air, log_height)| Table::of_air(air, log_height as u32));
    let shape = Shape {
        tables: tables.collect(),
    };
    for (table, lookups) in shape.tables.iter().zip(&data.common.lookups) {
        assert_eq!(table.lookups, lookups.len());
    }
    assert_eq!(
        shape.tables.iter().map(|t| t.messages).sum::<usize>(),
        width + 1
    );
    assert_eq!(shape.tables[1].preprocessed, 1);
    let opening = &proof.opening_proof;
    let inputs = opening.input_openings.iter();
    let inputs = inputs.map(|opening| opening.opening_proof.sibling_hashes.len());
    let rounds = opening.commit_phase_openings.iter();
    let rounds = rounds.map(|step| step.opening_proof.sibling_hashes.len());
    let paths = 32.0 * inputs.chain(rounds).sum::<usize>() as f64;
    let modelled = size::batch(&shape, &params);
    let rest = modelled.total() - modelled.input_paths - modelled.fri_paths;
    assert!(
        (bytes - paths - rest).abs() <= 4.0,
        "{bytes} {paths} {modelled:?}"
    );
}

/// Claims to have a proof.
struct Liar {
    accepts: fn(&[u8]) -> bool,
}

impl Subject for Liar {
    fn name(&self) -> String {
        "liar".to_owned()
    }

    fn shape(&self) -> Shape {
        Shape::of_table(Table {
            log_height: 10,
            width: 1,
            quotient_chunks: 2,
            ..Table::default()
        })
    }

    fn prove(&self, _: &Params) -> rewit::Result<Proved<'_>> {
        let accepts = self.accepts;
        Ok(Proved {
            bytes: vec![0; 100],
            seconds: 0.0,
            verify: Box::new(move |bytes| accepts(bytes).then_some(()).ok_or("no".to_owned())),
        })
    }
}

#[test]
fn no_size_without_a_proof_that_verifies_and_is_bound_to_its_bits() {
    let message = |accepts| match measure(&Liar { accepts }, &PARAMS) {
        Err(Error::Differs(message)) => message,
        other => panic!("{other:?}"),
    };
    assert!(message(|_| false).contains("does not verify"));
    assert!(message(|_| true).contains("still verifies"));
    let honest = Liar {
        accepts: |bytes| bytes.iter().all(|byte| *byte == 0),
    };
    let measured = measure(&honest, &PARAMS).expect("verifies and is refused when changed");
    assert_eq!(measured.bytes, 100);
    assert!(measured.flipped_bit < 800);
}

#[test]
fn suite_measures_up_to_the_blowup_and_models_beyond() {
    let subject = Synthetic::new(10, 300);
    let options = Options {
        targets: vec![100],
        max_log_blowup: 1,
        max_grinding: 12,
        sweep: true,
    };
    let mut seen = 0;
    let suite = suite(&subject, &options, &mut |_| seen += 1).expect("proves");
    assert_eq!(seen, suite.rows.len());
    for row in &suite.rows {
        let params = row.params.expect("of FRI");
        let kind = if params.log_blowup <= 1 {
            Kind::Measured
        } else {
            Kind::Modelled
        };
        assert_eq!(row.kind, kind, "{row:?}");
        assert_eq!(row.measured.is_some(), kind == Kind::Measured);
        assert_eq!(row.note.is_empty(), kind == Kind::Measured);
        if row.purpose.starts_with("smallest") {
            assert!(row.provable_bits >= Some(100.0), "{row:?}");
        }
    }
    for limit in [600, 300] {
        let requirement = suite.requirements.iter().find(|r| r.limit_kib == limit);
        let requirement = requirement.expect("one for each limit");
        let bytes = requirement.modelled_bytes.expect("there are parameters");
        assert_eq!(requirement.reached, bytes <= f64::from(limit) * 1024.0);
    }
}

#[test]
fn command_writes_every_format() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let output = Command::cargo_bin("rewit")
        .expect("is built")
        .args([
            "proof-size",
            "--quick",
            "--bits",
            "60",
            "--max-grinding",
            "10",
        ])
        .arg("--json")
        .arg(path("sizes.json"))
        .arg("--csv")
        .arg(path("sizes.csv"))
        .arg("--svg")
        .arg(path("sizes.svg"))
        .output()
        .expect("runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("is text");
    assert!(text.contains("60 provable bits within 300 KiB"), "{text}");
    assert!(
        text.contains("WHIR opening alone, 60 bits, degree 5"),
        "{text}"
    );

    let json = fs::read_to_string(path("sizes.json")).expect("is there");
    let json: serde_json::Value = serde_json::from_str(&json).expect("is JSON");
    assert_eq!(json["format"], "rewit proof sizes");
    let rows = json["rows"].as_array().expect("rows");
    assert!(!rows.is_empty());
    let measured = |row: &&serde_json::Value| row["kind"] == "measured";
    assert!(rows.iter().filter(measured).count() > 0);
    for row in rows.iter().filter(measured) {
        assert!(row["measured"]["bytes"].as_u64() > Some(1000), "{row}");
        assert!(row["provable_bits"].as_f64() >= Some(1.0), "{row}");
    }

    let csv = fs::read_to_string(path("sizes.csv")).expect("is there");
    let columns = |line: &str| line.split(',').count();
    let head = csv.lines().next().expect("a header");
    assert!(
        csv.lines().all(|line| columns(line) == columns(head)),
        "{csv}"
    );
    assert_eq!(csv.lines().count(), rows.len() + 1);

    let svg = fs::read_to_string(path("sizes.svg")).expect("is there");
    assert!(
        svg.starts_with("<svg") && svg.contains("provable bits"),
        "{svg}"
    );
    assert!(svg.matches("<circle").count() >= rows.iter().filter(measured).count());
}
