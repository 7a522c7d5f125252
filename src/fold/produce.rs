//! Items made by other threads while the caller's uses them.

use std::sync::mpsc::sync_channel;
use std::thread;

use rayon::prelude::*;

use crate::Result;

/// Makes `num` items in batches on rayon's threads, and lets the caller's thread take them in order.
///
/// - `make`: the item of an index.
/// - `take`: gets all of them; it may stop early.
///
/// At most two batches wait while a third is made. The caller's thread alone runs `take`, so that it
/// may talk to a device. If it is one of rayon's own, it makes the items too: a thread that waits for
/// the pool it belongs to may wait forever.
///
/// # Errors
/// Those of `take`, which gets those of `make`.
pub(super) fn produce<T: Send, R>(
    num: usize,
    batch: usize,
    make: impl Fn(usize) -> Result<T> + Sync,
    take: impl FnOnce(&mut dyn Iterator<Item = Result<T>>) -> Result<R>,
) -> Result<R> {
    let make = &make;
    if rayon::current_thread_index().is_some() {
        return take(&mut (0..num).map(make));
    }
    let (sender, receiver) = sync_channel::<Vec<Result<T>>>(1);
    thread::scope(|scope| {
        scope.spawn(move || {
            for from in (0..num).step_by(batch.max(1)) {
                let indices = from..num.min(from + batch.max(1));
                let items = indices.into_par_iter().map(make).collect();
                if sender.send(items).is_err() {
                    // Nobody takes them any more.
                    return;
                }
            }
        });
        take(&mut receiver.into_iter().flatten())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    /// None; one; less than a batch, as many, one more; several.
    #[test]
    fn items_come_in_order() {
        for num in [0, 1, 3, 4, 5, 8, 100] {
            let all = produce(num, 4, Ok, |items| items.collect::<Result<Vec<_>>>());
            assert_eq!(all.unwrap(), (0..num).collect::<Vec<_>>());
        }
    }

    /// One thread, which is the caller's.
    #[test]
    fn a_pool_does_not_wait_for_itself() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let all = pool
            .unwrap()
            .install(|| produce(100, 4, Ok, |items| items.collect::<Result<Vec<_>>>()));
        assert_eq!(all.unwrap(), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn taking_may_stop_early_and_errors_arrive() {
        let first = produce(1 << 20, 16, Ok, |items| items.next().unwrap());
        assert_eq!(first.unwrap(), 0);
        let make = |i| {
            if i == 7 {
                Err(Error::Usage("seven".to_owned()))
            } else {
                Ok(i)
            }
        };
        let error = produce(100, 3, make, |items| items.collect::<Result<Vec<_>>>());
        assert_eq!(error.unwrap_err().to_string(), "seven");
    }
}
