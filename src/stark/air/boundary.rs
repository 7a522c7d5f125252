//! The memory boundary table: registers and touched words before and after a segment.

use p3_air::{Air, AirBuilder, BaseAir, WindowAccess};
use p3_field::PrimeCharacteristicRing;
use p3_lookup::InteractionBuilder;

use super::bus;
use crate::witness::layout::REGISTER_BASE;
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
        vec![REAL, LO, HI, REGISTER]
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

        for col in [REAL, REGISTER, CARRY] {
            builder.assert_bool(cell(col));
        }
        for col in LO..WIDTH {
            builder.assert_zero((num(1) - cell(REAL)) * cell(col));
        }
        builder.assert_zero(cell(REGISTER) * cell(HI));

        // The next address is this one plus the step plus one, limb by limb over the integers: a sum
        // of whole addresses could pass the prime and come round to one that was there before.
        let mut transition = builder.when_transition();
        transition.assert_zero((num(1) - cell(REAL)) * next(REAL));
        let lo = next(LO) + cell(CARRY) * num(1 << 16) - cell(LO) - cell(STEP) - num(1);
        transition.assert_zero(next(REAL) * lo);
        let top = |hi: AB::Expr, register: AB::Expr| hi + register * num(1 << 14);
        let hi = top(next(HI), next(REGISTER))
            - top(cell(HI), cell(REGISTER))
            - cell(STEP + 1)
            - cell(CARRY);
        transition.assert_zero(next(REAL) * hi);
        for col in STEP..=CARRY {
            builder
                .when_transition()
                .assert_zero((num(1) - next(REAL)) * cell(col));
            builder.when_last_row().assert_zero(cell(col));
        }

        let address = || cell(LO) + cell(HI) * num(1 << 16) + cell(REGISTER) * num(REGISTER_BASE);
        let bytes = |col: usize| [0, 1, 2, 3].map(|i| cell(col + i));
        let message =
            |col: usize, time: AB::Expr| std::iter::once(address()).chain(bytes(col)).chain([time]);
        let once = || bus::at_most_once(cell(REAL));
        bus::MEMORY.send(builder, message(INIT, num(0)), once());
        bus::MEMORY.receive(builder, message(FINAL, cell(TIME)), once());
        for col in COLS16 {
            bus::RANGE16.lookup_key(builder, [cell(col)], 1);
        }
        for col in COLS14 {
            bus::RANGE14.lookup_key(builder, [cell(col)], 1);
        }
        for col in COLS_BYTES {
            bus::BYTES.lookup_key(builder, [cell(col), cell(col + 1)], 1);
        }
    }
}
