//! Security levels: the formulas reproduce what ethereum/soundcalc publishes, and `p3-security`
//! agrees with them where both speak of the same thing.

use rewit::stark::security::soundcalc::{
    Arithmetization, Batching, Circuit, Gap, Lookup, Regime, conjectured_query_bits,
};
use rewit::stark::security::{Level, field_bits, security};
use rewit::stark::{Grinding, Params, Shape, Table};

/// A prime field and the degree of the extension challenges are drawn from.
#[derive(Clone, Copy)]
struct Field {
    modulus: u64,
    degree: u32,
}

const GOLDILOCKS: u64 = 0xffff_ffff_0000_0001;
const BABY_BEAR: u64 = 0x7800_0001;
const KOALA_BEAR: u64 = 0x7f00_0001;
const MERSENNE_31: u64 = 0x7fff_ffff;

impl Field {
    fn bits(self) -> f64 {
        f64::from(self.degree) * (self.modulus as f64).log2()
    }

    fn element_bits(self) -> u32 {
        u64::BITS - self.modulus.leading_zeros()
    }
}

/// A published parameter set.
struct Published {
    name: &'static str,
    field: Field,
    digest_bits: u32,
    circuit: Circuit,
    regime: Regime,
    /// Published level, and size of a proof in KiB.
    bits: f64,
    kib: Option<f64>,
    /// Published terms, where the report is of the version whose formulas these are.
    terms: &'static [(&'static str, f64)],
}

fn lookup(name: &str, rows: f64, columns: u32, count: u32, grinding: f64) -> Lookup {
    Lookup {
        name: name.to_owned(),
        rows,
        columns: columns.into(),
        count: count.into(),
        multilinear: false,
        grinding,
    }
}

fn deep_ali(constraints: u32, degree: u32, combo: u32, grinding: f64) -> Arithmetization {
    Arithmetization::DeepAli {
        constraints: constraints.into(),
        degree: degree.into(),
        combo: combo.into(),
        grinding,
    }
}

/// The parameter sets of ethereum/soundcalc (`soundcalc/zkvms/*/*.toml`), with the levels and
/// sizes of its reports.
#[rustfmt::skip]
fn published() -> Vec<Published> {
    let unique = Regime::Unique;
    let johnson = Regime::Johnson(Gap::Default);
    let goldilocks = |degree| Field { modulus: GOLDILOCKS, degree };
    let baby_bear = Field { modulus: BABY_BEAR, degree: 4 };
    let koala_bear = Field { modulus: KOALA_BEAR, degree: 4 };
    let mersenne = Field { modulus: MERSENNE_31, degree: 4 };

    let zisk = Circuit {
        field_bits: goldilocks(3).bits(),
        log_length: 15, log_blowup: 4, batch: 145.0, batching: Batching::Powers,
        folding: vec![8, 8, 8], queries: 54, grinding: [0.0, 0.0, 22.0],
        arithmetization: deep_ali(158, 8, 4, 0.0),
        lookups: vec![lookup("Connection_gprod_[1]", 65536.0, 2, 27, 0.0)],
    };
    let sp1 = Circuit {
        field_bits: koala_bear.bits(),
        log_length: 18, log_blowup: 3, batch: 128.0, batching: Batching::Multilinear,
        folding: vec![2; 18], queries: 94, grinding: [5.0, 0.0, 22.0],
        arithmetization: Arithmetization::Jagged {
            constraints: 204.0, degree: 3.0, log_height: 19.0, width: 326.0,
        },
        lookups: vec![Lookup { multilinear: true, ..lookup("lookup", 524_288.0, 6, 53, 12.0) }],
    };
    let openvm = |queries, log_length, log_blowup, batch, batching, lookups| Circuit {
        field_bits: baby_bear.bits(),
        log_length, log_blowup, batch, batching: Batching::Powers,
        folding: vec![2; log_length as usize], queries, grinding: [batching, 0.0, 20.0],
        arithmetization: deep_ali(15000, 2 + log_blowup, 2, 5.0),
        lookups,
    };
    let openvm_app = openvm(193, 23, 1, 80000.0, 20.0, vec![]);
    let openvm_internal =
        openvm(118, 21, 2, 4000.0, 16.0, vec![lookup("lookup", 128.0, 1, 1, 18.0)]);
    let rows = |table: f64| 16_777_215.0 + table;
    let airbender = Circuit {
        field_bits: mersenne.bits(),
        log_length: 24, log_blowup: 1, batch: 1225.0, batching: Batching::Powers,
        folding: vec![16, 16, 16, 8, 8], queries: 87, grinding: [0.0, 5.0, 28.0],
        arithmetization: deep_ali(928, 2, 2, 12.0),
        lookups: vec![
            lookup("generic_lookup", rows(16_777_215.0), 4, 208, 5.0),
            lookup("range_check_16_lookup", rows(65536.0), 1, 34, 5.0),
            lookup("range_check_19_lookup", rows(524_288.0), 1, 86, 5.0),
            lookup("decoder", rows(16_777_215.0), 10, 1, 5.0),
        ],
    };
    let pico = |log_length: u32, log_blowup, batch, queries, constraints, lookups| Circuit {
        field_bits: koala_bear.bits(),
        log_length, log_blowup, batch, batching: Batching::Powers,
        folding: vec![2; log_length as usize], queries, grinding: [0.0, 0.0, 16.0],
        arithmetization: deep_ali(constraints, 3, 2, 0.0),
        lookups,
    };
    let pico_riscv = pico(22, 1, 1435.0, 84, 4729, vec![
        lookup("alu", 37_789_696.0 + 15_343_616.0, 14, 1, 0.0),
        lookup("byte", 126_181_376.0 + 589_824.0, 6, 1, 0.0),
        lookup("memory", 2.0 * 23_068_672.0, 23, 1, 0.0),
    ]);
    let pico_embed =
        pico(15, 4, 485.0, 21, 323, vec![lookup("memory", 1_048_592.0 + 491_520.0, 6, 1, 0.0)]);
    // Constraints are counted as columns in these two.
    let risc0 = Circuit {
        field_bits: baby_bear.bits(),
        log_length: 21, log_blowup: 2, batch: 283.0, batching: Batching::Powers,
        folding: vec![16; 4], queries: 50, grinding: [0.0; 3],
        arithmetization: deep_ali(279, 4, 9, 0.0),
        lookups: vec![],
    };
    let miden = Circuit {
        field_bits: goldilocks(2).bits(),
        log_length: 18, log_blowup: 3, batch: 100.0, batching: Batching::Powers,
        folding: vec![4; 7], queries: 27, grinding: [0.0, 0.0, 16.0],
        arithmetization: deep_ali(100, 9, 2, 0.0),
        lookups: vec![],
    };
    let set = |name, field, digest_bits, circuit: &Circuit, regime, bits, kib| Published {
        name, field, digest_bits, circuit: circuit.clone(), regime, bits, kib, terms: &[],
    };
    vec![
        set("ZisK 0.16", goldilocks(3), 256, &zisk, unique, 71.0, None),
        set("ZisK 0.16", goldilocks(3), 256, &zisk,
            Regime::Johnson(Gap::Eta(0.003_333_333_333_333_333)), 128.0, Some(269.0)),
        Published {
            terms: &[("lookup", 109.0), ("batching", 106.0), ("fold 1", 105.0), ("fold 9", 113.0),
                ("fold 18", 121.0), ("queries", 100.0), ("reduction", 116.0), ("zero check", 115.0)],
            ..set("SP1 6.1 shrink", koala_bear, 248, &sp1, unique, 100.0, Some(529.0))
        },
        Published {
            terms: &[("constraints", 109.0), ("deep", 103.0), ("batching", 105.0),
                ("fold 1", 102.0), ("fold 23", 123.0), ("queries", 100.0)],
            ..set("OpenVM 1.5 app", baby_bear, 256, &openvm_app, unique, 100.0, Some(234_635.0))
        },
        Published {
            terms: &[("constraints", 104.0), ("deep", 98.0), ("batching", 82.0),
                ("fold 1", 79.0), ("fold 23", 101.0), ("queries", 106.0)],
            ..set("OpenVM 1.5 app", baby_bear, 256, &openvm_app, johnson, 79.0, None)
        },
        Published {
            terms: &[("lookup", 134.0), ("constraints", 109.0), ("deep", 105.0),
                ("batching", 106.0), ("fold 1", 103.0), ("fold 21", 122.0), ("queries", 100.0)],
            ..set("OpenVM 1.5 internal", baby_bear, 256, &openvm_internal, unique, 100.0,
                Some(7687.0))
        },
        Published {
            terms: &[("lookup", 134.0), ("constraints", 103.0), ("deep", 98.0),
                ("batching", 80.0), ("fold 1", 77.0), ("fold 21", 97.0), ("queries", 133.0)],
            ..set("OpenVM 1.5 internal", baby_bear, 256, &openvm_internal, johnson, 77.0, None)
        },
        Published {
            terms: &[("generic_lookup", 94.0), ("range_check_16_lookup", 99.0),
                ("range_check_19_lookup", 98.0), ("decoder", 100.0), ("constraints", 114.0),
                ("deep", 110.0), ("batching", 90.0), ("fold 1", 106.0), ("fold 2", 110.0),
                ("fold 3", 114.0), ("fold 4", 118.0), ("fold 5", 121.0), ("queries", 64.0)],
            ..set("Airbender", mersenne, 256, &airbender, unique, 64.0, None)
        },
        Published {
            terms: &[("generic_lookup", 94.0), ("constraints", 109.0), ("deep", 105.0),
                ("batching", 68.0), ("fold 1", 83.0), ("fold 2", 87.0), ("fold 3", 91.0),
                ("fold 4", 95.0), ("fold 5", 98.0), ("queries", 67.0)],
            ..set("Airbender", mersenne, 256, &airbender, johnson, 67.0, Some(1836.0))
        },
        set("Pico riscv", koala_bear, 248, &pico_riscv, unique, 50.0, None),
        set("Pico riscv", koala_bear, 248, &pico_riscv, johnson, 53.0, Some(2225.0)),
        set("Pico embed", koala_bear, 248, &pico_embed, johnson, 57.0, Some(232.0)),
        set("RISC0", baby_bear, 256, &risc0, unique, 33.0, Some(331.0)),
        set("RISC0", baby_bear, 256, &risc0, johnson, 48.0, None),
        set("Miden", goldilocks(2), 256, &miden, unique, 38.0, None),
        set("Miden", goldilocks(2), 256, &miden, johnson, 55.0, Some(112.0)),
    ]
}

#[test]
fn published_levels_and_sizes() {
    for published in published() {
        let Published {
            name,
            field,
            circuit,
            regime,
            ..
        } = &published;
        let terms = circuit.terms(*regime);
        assert_eq!(circuit.bits(*regime), published.bits, "{name} {terms:?}");
        for (term, bits) in published.terms {
            let found = terms.iter().find(|(name, _)| name == term);
            let found = found.map(|(_, bits)| bits.floor());
            assert_eq!(found, Some(*bits), "{name} {regime:?} {term}");
        }
        if let Some(kib) = published.kib {
            let found =
                circuit.expected_kib(published.digest_bits, field.element_bits(), field.degree);
            assert_eq!(found, kib, "{name}");
        }
    }
}

/// A batch like that of a segment: a wide table, a short one, and lookups between them.
fn shape() -> Shape {
    let wide = Table {
        log_height: 18,
        width: 174,
        next: true,
        quotient_chunks: 2,
        constraints: 300,
        degree: 3,
        lookups: 30,
        messages: 57,
        message_width: 9,
        ..Table::default()
    };
    let short = Table {
        log_height: 10,
        width: 3,
        preprocessed: 4,
        quotient_chunks: 2,
        constraints: 8,
        degree: 3,
        lookups: 3,
        messages: 3,
        message_width: 2,
        ..Table::default()
    };
    Shape {
        tables: vec![wide, short],
    }
}

fn params(log_blowup: u8, log_arity: u8, extension: u8) -> Params {
    Params {
        log_blowup,
        num_queries: 200 / u16::from(log_blowup),
        log_arity,
        log_final_len: 3,
        cap_height: 2,
        extension,
        grinding: Grinding {
            lookup: 3,
            out_of_domain: 5,
            batch: 7,
            commit: 11,
            query: 13,
        },
    }
}

/// Asserts that a level's term exceeds that of the formulas by `more` bits.
#[track_caller]
fn compare(
    level: &Level,
    theirs: &str,
    terms: &[(String, f64)],
    ours: &str,
    more: f64,
    slack: f64,
) {
    let theirs_bits = level.term(theirs).expect("the term is there");
    let ours_bits = terms
        .iter()
        .find(|(name, _)| name == ours)
        .expect("it is")
        .1;
    let difference = theirs_bits - ours_bits;
    assert!(
        (difference - more).abs() <= slack,
        "{theirs} {theirs_bits}, {ours} {ours_bits}: {difference}, not {more}"
    );
}

/// Every parameter set that the comparisons below go through.
fn grid() -> impl Iterator<Item = Params> {
    let blowups = (1..=5).flat_map(|blowup| (1..=5).map(move |arity| (blowup, arity)));
    blowups.flat_map(|(blowup, arity)| [4, 5].map(|extension| params(blowup, arity, extension)))
}

#[test]
fn unique_decoding_agrees_with_the_formulas() {
    let shape = shape();
    for params in grid() {
        let level = security(&params, &shape).unique;
        let circuit = Circuit::of(&params, &shape);
        let terms = circuit.terms(Regime::Unique);
        let rate = (-f64::from(params.log_blowup)).exp2();
        let n = (18.0 + f64::from(params.log_blowup)).exp2();
        let theta = (1.0 - rate) / 2.0;
        let exact = 1e-6;
        compare(&level, "air-composition", &terms, "constraints", 0.0, exact);
        compare(&level, "deep-ali", &terms, "deep", 0.0, exact);
        // Queries: p3 decodes at the rate that openings raise to (k + 2)/n, here of the short table.
        let raised = (1.0 + rate * (1.0 + 2.0 / 1024.0)) / (1.0 + rate);
        let less = -f64::from(params.num_queries) * raised.log2();
        compare(&level, "ldt-query-phase", &terms, "queries", less, exact);
        // Batching: p3 has (l - 1)n/F, older than (l - 1)(theta n + 1)/F.
        let less = (theta + 1.0 / n).log2();
        compare(&level, "batch-combination", &terms, "batching", less, exact);
        // Folding: p3 has (a - 1)(n + 1)/F for all rounds; the first has the domain n/a.
        let arity = f64::from(params.log_arity).exp2();
        let less = ((theta * n / arity + 1.0) / (n + 1.0)).log2();
        compare(&level, "ldt-commit-phase", &terms, "fold 1", less, exact);
        // Lookups: p3 counts denominators that vanish, too, N(W + 2)/F against NW/F.
        let less = (9.0f64 / 11.0).log2();
        compare(&level, "logup-fingerprint", &terms, "lookup", less, exact);
        assert_eq!(level.term("commitment-collision"), Some(128.0));
        assert_eq!(level.terms.len(), 7);
    }
}

#[test]
fn johnson_agrees_with_the_formulas() {
    let shape = shape();
    for params in grid() {
        let level = security(&params, &shape).johnson.expect("is admissible");
        let multiplicity = level.multiplicity.expect("Johnson has one");
        let circuit = Circuit::of(&params, &shape);
        let terms = circuit.terms(Regime::Johnson(Gap::Multiplicity(multiplicity as u32)));
        let sqrt_rate = (-0.5 * f64::from(params.log_blowup)).exp2();
        let exact = 1e-6;
        compare(&level, "air-composition", &terms, "constraints", 0.0, exact);
        compare(&level, "deep-ali", &terms, "deep", 0.0, exact);
        compare(&level, "ldt-query-phase", &terms, "queries", 0.0, exact);
        // Batching: p3 has the newer bound 8m'^3 n/3rho (eprint 2026/2056) in place of
        // 2m'^5 n/3rho^1.5 and its lower terms (BCHKS25).
        let shifted = multiplicity as f64 + 0.5;
        let more = (shifted.powi(2) / (4.0 * sqrt_rate)).log2();
        compare(&level, "batch-combination", &terms, "batching", more, 0.02);
        // Lookups: as for unique decoding, and one try for each of L candidates.
        let less = (9.0f64 / 11.0).log2() - (shifted / sqrt_rate).log2();
        compare(&level, "logup-fingerprint", &terms, "lookup", less, exact);
        assert_eq!(level.terms.len(), 7);
    }
}

#[test]
fn johnson_takes_the_best_multiplicity() {
    // With queries to spare the field is what binds, and the smallest multiplicity is best; with
    // few queries, a larger one.
    let shape = shape();
    let many = Params {
        num_queries: 1000,
        ..params(1, 2, 4)
    };
    let level = security(&many, &shape).johnson.expect("is admissible");
    assert_eq!(level.multiplicity, Some(3));
    let few = Params {
        num_queries: 60,
        ..params(1, 2, 5)
    };
    let level = security(&few, &shape).johnson.expect("is admissible");
    assert!(level.multiplicity > Some(50), "{level:?}");
}

#[test]
fn the_older_johnson_bound_gives_fewer_bits() {
    let shape = shape();
    for params in grid() {
        let newer = security(&params, &shape).johnson.expect("is admissible");
        let (multiplicity, _, bits) = Circuit::of(&params, &shape).best_johnson();
        assert!(multiplicity >= 3);
        // Unless queries, constraints or digests bind, of which both say the same.
        assert!(
            bits <= newer.bits() + 0.5 || newer.bits() == 128.0,
            "{bits} {newer:?}"
        );
    }
}

#[test]
fn conjectured_agrees_with_the_formula() {
    let shape = shape();
    for params in grid() {
        let level = security(&params, &shape).conjectured;
        let ours = conjectured_query_bits(
            field_bits(params.extension) as f64,
            params.log_blowup.into(),
            params.num_queries.into(),
            params.grinding.query.into(),
        );
        let theirs = level.term("ldt-query-phase").expect("is there");
        assert!((theirs - ours).abs() < 1e-9, "{theirs} {ours}");
    }
}

#[test]
fn every_grinding_site_counts_for_its_term_and_for_no_other() {
    let shape = shape();
    let base = Params {
        grinding: Grinding::default(),
        ..params(2, 3, 4)
    };
    type Site = (&'static str, fn(&mut Grinding));
    let sites: [Site; 5] = [
        ("logup-fingerprint", |grinding| grinding.lookup = 9),
        ("deep-ali", |grinding| grinding.out_of_domain = 9),
        ("batch-combination", |grinding| grinding.batch = 9),
        ("ldt-commit-phase", |grinding| grinding.commit = 9),
        ("ldt-query-phase", |grinding| grinding.query = 9),
    ];
    for (name, grind) in sites {
        let mut params = base;
        grind(&mut params.grinding);
        let before = security(&base, &shape);
        let after = security(&params, &shape);
        for (before, after) in [
            (before.unique, after.unique),
            (before.conjectured, after.conjectured),
        ] {
            assert_eq!(before.terms.len(), after.terms.len());
            for (before, after) in before.terms.iter().zip(&after.terms) {
                let bits = if before.name == name { 9.0 } else { 0.0 };
                assert!(
                    (after.bits - before.bits - bits).abs() < 1e-9,
                    "{name} {after:?}"
                );
            }
        }
        let [before, after] = [before.johnson, after.johnson].map(|level| {
            let level = level.expect("is admissible");
            level.bits()
        });
        assert!(after >= before, "{name}: {before} {after}");
    }
}

#[test]
fn levels_fall_with_height_width_and_short_tables() {
    let mut params = Params {
        num_queries: 400,
        ..params(1, 2, 4)
    };
    // So that batching binds, which all of them change.
    params.grinding.lookup = 20;
    let bits = |shape: &Shape| {
        let security = security(&params, shape);
        [security.unique.bits(), security.provable().bits()]
    };
    let base = bits(&shape());
    let changes: [fn(&mut Shape); 3] = [
        |shape| shape.tables[0].log_height += 1,
        |shape| shape.tables[0].width *= 2,
        |shape| shape.tables[1].width += 1000,
    ];
    for change in changes {
        let mut shape = shape();
        change(&mut shape);
        for (base, changed) in base.iter().zip(bits(&shape)) {
            assert!(changed < *base, "{changed} {base}");
        }
    }
    // A shorter table leaves less room between the rate and what openings raise it to.
    let mut short = shape();
    short.tables[1].log_height = 8;
    let level = |shape: &Shape| security(&params, shape).unique.term("ldt-query-phase");
    assert!(level(&short) < level(&shape()));
}
