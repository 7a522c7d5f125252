//! The memory boundary table: registers and touched words before and after a segment.

use p3_air::{Air, AirBuilder, BaseAir, WindowAccess};
use p3_field::PrimeCharacteristicRing;
use p3_lookup::InteractionBuilder;

use super::bus;
use crate::witness::layout::boundary::*;

/// The memory boundary table: each cell enters the memory argument at time 0 and leaves it at the
/// time of its last access. Ascending addresses make sure that it does so once.
#[derive(Clone, Copy, Debug, Default)]
pub struct BoundaryAir;

impl<F> BaseAir<F> for BoundaryAir {
    fn width(&self) -> usize {
        WIDTH
    }

    fn main_next_row_columns(&self) -> Vec<usize> {
        vec![REAL, ADDR]
    }

    fn max_constraint_degree(&self) -> Option<usize> {
        Some(3)
    }
}

impl<AB: InteractionBuilder> Air<AB> for BoundaryAir {
    fn eval(&self, builder: &mut AB) {
        let main = builder.main();
        let cell = bus::cells::<AB>(main.current_slice());
        let next = bus::cells::<AB>(main.next_slice());
        let num = |value: u32| AB::Expr::from_u32(value);

        builder.assert_bool(cell(REAL));
        for col in ADDR..WIDTH {
            builder.assert_zero((num(1) - cell(REAL)) * cell(col));
        }
        let mut transition = builder.when_transition();
        transition.assert_zero((num(1) - cell(REAL)) * next(REAL));
        let step = cell(STEP) + cell(STEP + 1) * num(1 << 16);
        transition.assert_zero(next(REAL) * (next(ADDR) - cell(ADDR) - num(1) - step.clone()));
        transition.assert_zero((num(1) - next(REAL)) * cell(STEP));
        transition.assert_zero((num(1) - next(REAL)) * cell(STEP + 1));
        let mut last = builder.when_last_row();
        last.assert_zero(cell(STEP));
        last.assert_zero(cell(STEP + 1));

        let bytes = |col: usize| [0, 1, 2, 3].map(|i| cell(col + i));
        let message = |col: usize, time: AB::Expr| {
            std::iter::once(cell(ADDR)).chain(bytes(col)).chain([time])
        };
        let once = || bus::at_most_once(cell(REAL));
        bus::MEMORY.send(builder, message(INIT, num(0)), once());
        bus::MEMORY.receive(builder, message(FINAL, cell(TIME)), once());
        bus::BYTES.lookup_key(builder, [cell(INIT), cell(INIT + 1)], 1);
        bus::BYTES.lookup_key(builder, [cell(INIT + 2), cell(INIT + 3)], 1);
        bus::RANGE16.lookup_key(builder, [cell(STEP)], 1);
        bus::RANGE14.lookup_key(builder, [cell(STEP + 1)], 1);
    }
}
