//! Runs a table's AIR on symbols and collects what it asserts and sends.

use p3_air::{Air, AirBuilder, BaseAir, RowWindow};
use p3_baby_bear::BabyBear;
use p3_lookup::{Count, InteractionBuilder};

use super::expr::{Atom, Expr};
use crate::stark::air::{TableAir, constrain};

/// Rows on which a constraint holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Domain {
    /// Every row.
    Every,
    /// Every row but the last; the constraint may read the next row.
    Transition,
    /// The first row.
    First,
    /// The last row.
    Last,
}

/// What a row puts on a bus.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) bus: String,
    pub(super) fields: Vec<Expr>,
    /// Sent or looked up: positive. Received or held: negative.
    pub(super) count: Expr,
}

/// The constraints and messages of a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Collected {
    pub(super) constraints: Vec<(Domain, Expr)>,
    pub(super) messages: Vec<Message>,
}

/// Evaluates the AIR of `table`.
///
/// - `dropped`: a group of the cpu table's constraints to leave out, to see whether that is noticed.
pub(super) fn collect(table: &TableAir, dropped: Option<&str>) -> Collected {
    let width = BaseAir::<BabyBear>::width(table) as u32;
    let fixed = table.preprocessed_width() as u32;
    let public = table.num_public_values() as u32;
    let cells: Vec<Atom> = (0..width).map(Atom::Cell).collect();
    let next: Vec<Atom> = (0..width).map(Atom::Next).collect();
    let fixed: Vec<Atom> = (0..fixed).map(Atom::Fixed).collect();
    let public: Vec<Atom> = (0..public).map(Atom::Public).collect();
    let mut builder = Builder {
        main: RowWindow::from_two_rows(&cells, &next),
        // No AIR reads the next row of a fixed column.
        fixed: RowWindow::from_two_rows(&fixed, &fixed),
        public: &public,
        group: "",
        dropped,
        collected: Collected::default(),
    };
    match table {
        TableAir::Cpu => constrain(&mut builder, |builder, group| builder.group = group),
        table => table.eval(&mut builder),
    }
    builder.collected
}

struct Builder<'a> {
    main: RowWindow<'a, Atom>,
    fixed: RowWindow<'a, Atom>,
    public: &'a [Atom],
    group: &'static str,
    dropped: Option<&'a str>,
    collected: Collected,
}

/// Splits off the selector that a constraint starts with.
///
/// # Panics
/// If terms have different selectors or several: no AIR here does that.
fn split(constraint: &Expr) -> (Domain, Expr) {
    let mut selectors: Vec<Atom> = constraint
        .forms()
        .flatten()
        .map(|(atom, _)| *atom)
        .filter(|atom| atom.is_selector())
        .collect();
    selectors.dedup();
    let [selector] = selectors[..] else {
        assert!(selectors.is_empty(), "a constraint with several selectors");
        return (Domain::Every, constraint.clone());
    };
    let domain = match selector {
        Atom::First => Domain::First,
        Atom::Last => Domain::Last,
        _ => Domain::Transition,
    };
    let mut rest = Expr::default();
    assert!(constraint.constant == 0, "a constant without the selector");
    for (atom, coefficient) in &constraint.linear {
        assert!(*atom == selector, "a term without the selector");
        rest.push(*coefficient, Vec::new());
    }
    for (coefficient, factors) in &constraint.products {
        let mut factors = factors.clone();
        let at = factors.iter().position(|f| *f == [(selector, 1)]);
        factors.remove(at.expect("every term starts with the selector"));
        rest.push(*coefficient, factors);
    }
    (domain, rest)
}

impl<'a> AirBuilder for Builder<'a> {
    type F = BabyBear;
    type Expr = Expr;
    type Var = Atom;
    type PreprocessedWindow = RowWindow<'a, Atom>;
    type MainWindow = RowWindow<'a, Atom>;
    type PublicVar = Atom;
    type PeriodicVar = Atom;

    fn main(&self) -> Self::MainWindow {
        self.main
    }

    fn preprocessed(&self) -> &Self::PreprocessedWindow {
        &self.fixed
    }

    fn is_first_row(&self) -> Expr {
        Atom::First.into()
    }

    fn is_last_row(&self) -> Expr {
        Atom::Last.into()
    }

    fn is_transition(&self) -> Expr {
        Atom::Transition.into()
    }

    fn assert_zero<I: Into<Expr>>(&mut self, x: I) {
        if self.dropped != Some(self.group) {
            self.collected.constraints.push(split(&x.into()));
        }
    }

    fn public_values(&self) -> &[Atom] {
        self.public
    }
}

impl InteractionBuilder for Builder<'_> {
    fn push_interaction<E: Into<Expr>>(
        &mut self,
        bus_name: &str,
        fields: impl IntoIterator<Item = E>,
        count: impl Into<Count<Expr>>,
    ) {
        self.collected.messages.push(Message {
            bus: bus_name.to_owned(),
            fields: fields.into_iter().map(Into::into).collect(),
            count: count.into().into_parts().0,
        });
    }

    fn push_local_interaction(&mut self, _: impl IntoIterator<Item = (Vec<Expr>, Count<Expr>)>) {
        unreachable!("no table has lookups into itself");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_become_domains() {
        let collected = collect(&TableAir::Boundary, None);
        let count = |domain| {
            let of = collected.constraints.iter().filter(|(d, _)| *d == domain);
            of.count()
        };
        // 3 booleans, 15 cells that padding leaves zero, and the registers' high limb.
        assert_eq!(count(Domain::Every), 19);
        assert_eq!(count(Domain::Transition), 6);
        assert_eq!(count(Domain::Last), 3);
        assert_eq!(count(Domain::First), 0);
        let forms = collected.constraints.iter().flat_map(|(_, e)| e.forms());
        assert!(forms.flatten().all(|(atom, _)| !atom.is_selector()));
    }

    #[test]
    fn degrees_are_what_plonky3_counts() {
        // The selector of a transition adds one to Plonky3's degree.
        for table in TableAir::for_verifier() {
            for (domain, constraint) in &collect(&table, None).constraints {
                let selector = usize::from(*domain != Domain::Every);
                assert!(
                    constraint.degree() + selector <= 3,
                    "{table:?}: {constraint:?}"
                );
            }
        }
    }

    #[test]
    fn a_group_can_be_left_out() {
        let all = collect(&TableAir::Cpu, None).constraints.len();
        let without = collect(&TableAir::Cpu, Some("divide")).constraints.len();
        assert!(without < all);
    }
}
