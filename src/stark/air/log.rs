//! The log table: what the segment's system calls did, received from the cpu table.

use p3_air::{Air, BaseAir, WindowAccess};
use p3_lookup::InteractionBuilder;

use super::bus;

/// The log table: one row per event, then padding. It has no constraints: whoever verifies knows
/// every cell of it, and compares them with the proof's.
///
/// | column | holds |
/// |---|---|
/// | 0 | 1, or 0 in padding |
/// | 1 … 9 | the fields of [`Event::fields`](crate::stark::Event::fields) |
#[derive(Clone, Copy, Debug, Default)]
pub struct LogAir;

/// Columns of the log table.
pub const LOG_WIDTH: usize = 10;

impl<F> BaseAir<F> for LogAir {
    fn width(&self) -> usize {
        LOG_WIDTH
    }

    fn main_next_row_columns(&self) -> Vec<usize> {
        Vec::new()
    }
}

impl<AB: InteractionBuilder> Air<AB> for LogAir {
    fn eval(&self, builder: &mut AB) {
        let main = builder.main();
        let cell = bus::cells::<AB>(main.current_slice());
        let event: Vec<AB::Expr> = (1..LOG_WIDTH).map(&cell).collect();
        bus::SYSTEM_CALLS.receive(builder, event, bus::at_most_once(cell(0)));
    }
}
