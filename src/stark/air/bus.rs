//! The buses that connect the tables.

use p3_air::AirBuilder;
use p3_lookup::{Count, InteractionBuilder, LookupBus, PermutationCheckBus};

/// Instructions by address: the CPU table looks them up, the program table holds them.
pub(super) const PROGRAM: LookupBus<'static> = LookupBus::new("program");
/// Contents of registers and memory words over time.
pub(super) const MEMORY: PermutationCheckBus<'static> = PermutationCheckBus::new("memory");
/// Values below 2^16.
pub(super) const RANGE16: LookupBus<'static> = LookupBus::new("range16");
/// Values below 2^14.
pub(super) const RANGE14: LookupBus<'static> = LookupBus::new("range14");
/// Pairs of bytes.
pub(super) const BYTES: LookupBus<'static> = LookupBus::new("bytes");
/// What system calls were made and which data they moved; received by whoever holds the log.
pub const SYSTEM_CALLS: PermutationCheckBus<'static> = PermutationCheckBus::new("system calls");

/// A multiplicity that the constraints keep at 0 or 1.
pub(super) fn at_most_once<E>(count: E) -> Count<E> {
    Count::bounded(count, 1)
}

/// One access: takes the cell's last content off the bus and puts the new one on.
pub(super) fn access<AB: InteractionBuilder>(
    builder: &mut AB,
    address: &AB::Expr,
    (old, before): ([AB::Expr; 4], AB::Expr),
    (new, now): ([AB::Expr; 4], AB::Expr),
    count: AB::Expr,
) {
    let message = |bytes: [AB::Expr; 4], time: AB::Expr| {
        std::iter::once(address.clone()).chain(bytes).chain([time])
    };
    MEMORY.receive(builder, message(old, before), at_most_once(count.clone()));
    MEMORY.send(builder, message(new, now), at_most_once(count));
}

/// All cells of a row as expressions.
pub(super) fn cells<AB: AirBuilder>(row: &[AB::Var]) -> impl Fn(usize) -> AB::Expr + '_ {
    |col| row[col].into()
}
