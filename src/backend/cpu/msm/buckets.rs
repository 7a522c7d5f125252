//! Sums of buckets, and of buckets times their magnitudes.

use super::batch::{Arena, Sums};
use super::point::Point;
use super::sort::Sorted;

/// Points that add up to a bucket; neighbours may name the same one.
pub(super) type Bucket = (u32, Point);

/// Adds up the operands in `range`, bucket by bucket.
///
/// - returns: buckets by index, ascending, without those that are infinity.
pub(super) fn accumulate(
    arena: &mut Arena,
    bases: &[Point],
    sorted: &Sorted,
    range: std::ops::Range<usize>,
) -> Vec<Bucket> {
    struct Group {
        bucket: u32,
        place: u32,
        count: u32,
    }
    arena.clear();
    arena.points.resize(range.len(), Point::INFINITY);
    let mut groups = Vec::new();
    let mut sums = Sums::default();
    let mut place = 0u32;
    let mut position = range.start;
    let mut bucket = sorted
        .starts
        .partition_point(|start| *start as usize <= range.start);
    while position < range.end {
        // `bucket` is the one after the current.
        let end = (sorted.starts[bucket] as usize).min(range.end);
        if end > position {
            let group = &sorted.operands[position..end];
            groups.push(Group {
                bucket: bucket as u32 - 1,
                place,
                count: group.len().div_ceil(2) as u32,
            });
            let pairs = group.chunks_exact(2);
            if let [single] = pairs.remainder() {
                arena.copy(bases, *single, place + group.len() as u32 / 2);
            }
            for pair in pairs {
                sums.push(pair[0], pair[1], place);
                place += 1;
            }
            place += group.len() as u32 % 2;
            position = end;
        }
        bucket += 1;
    }
    arena.add(Some(bases), &sums);

    let mut stride = 1;
    let mut open: Vec<(u32, u32)> = groups
        .iter()
        .map(|group| (group.place, group.count))
        .collect();
    loop {
        open.retain(|(_, count)| *count > 1);
        if open.is_empty() {
            break;
        }
        sums.clear();
        for (place, count) in &mut open {
            for pair in 0..*count / 2 {
                let left = *place + 2 * pair * stride;
                sums.push(left, left + stride, left);
            }
            *count = count.div_ceil(2);
        }
        arena.add(None, &sums);
        stride *= 2;
    }
    groups
        .iter()
        .map(|group| (group.bucket, arena.points[group.place as usize]))
        .filter(|(_, point)| !point.is_infinity())
        .collect()
}

/// Weighs the buckets of each set by their magnitudes and adds them up.
///
/// With `B_j` the bucket of magnitude `j`, `Σ j·B_j = Σ_{j odd} B_j + 2·Σ_i i·(B_{2i} + B_{2i+1})`: halving over and
/// over leaves one sum per bit, and additions that do not wait for each other.
///
/// - `buckets`: of the sets from `first_set`, ascending.
/// - `log_buckets`: a set has `2^log_buckets`, for magnitudes from 1.
/// - returns: `[set][log_buckets + 2]`: the sums that count once, twice, …, `2^log_buckets` times, and the sum of
///   all buckets of the set.
pub(super) fn weigh<'a>(
    arena: &mut Arena,
    buckets: impl Iterator<Item = &'a [Bucket]>,
    first_set: usize,
    sets: usize,
    log_buckets: u32,
) -> Vec<Point> {
    arena.clear();
    let bits = log_buckets + 1;
    let mut level = distinct(arena, buckets, first_set, log_buckets);
    let row = bits as usize + 1;
    let mut results = vec![Point::INFINITY; sets * row];
    // Lists of places that add up to a result.
    let mut trees: Vec<(usize, Vec<u32>)> = Vec::new();
    let mut sums = Sums::default();
    for bit in 0.. {
        sums.clear();
        for (_, places) in &mut trees {
            pair_up(places, &mut sums);
        }
        let mut odd: Vec<(usize, Vec<u32>)> = Vec::new();
        if bit < bits {
            let mut next = Vec::with_capacity(level.len() / 2 + 1);
            let result = |key: u32| (key >> (bits - bit)) as usize * row + bit as usize;
            let mut index = 0;
            while index < level.len() {
                let (key, place) = level[index];
                index += 1;
                let mut add_odd = |place| match odd.last_mut() {
                    Some((last, places)) if *last == result(key) => places.push(place),
                    _ => odd.push((result(key), vec![place])),
                };
                if key & 1 == 1 {
                    // The place itself is for the sum of the odd ones.
                    add_odd(place);
                    let copy = arena.points.len() as u32;
                    arena.points.push(arena.points[place as usize]);
                    next.push((key >> 1, copy));
                    continue;
                }
                if let Some((other, partner)) = level.get(index)
                    && *other == key | 1
                {
                    sums.push(place, *partner, place);
                    add_odd(*partner);
                    index += 1;
                }
                next.push((key >> 1, place));
            }
            level = next;
        }
        arena.add(None, &sums);
        trees.append(&mut odd);
        trees.retain(|(result, places)| {
            if let [place] = places[..] {
                results[*result] = arena.points[place as usize];
            }
            places.len() > 1
        });
        if bit >= bits && trees.is_empty() {
            break;
        }
    }
    for (set, place) in level {
        results[set as usize * row + bits as usize] = arena.points[place as usize];
    }
    results
}

/// Brings buckets to the arena and adds those up that were accumulated in parts.
///
/// - returns: magnitude, with the set above its `log_buckets + 1` bits, and place; ascending.
fn distinct<'a>(
    arena: &mut Arena,
    buckets: impl Iterator<Item = &'a [Bucket]>,
    first_set: usize,
    log_buckets: u32,
) -> Vec<(u32, u32)> {
    let mut level: Vec<(u32, u32)> = Vec::new();
    let mut repeated: Vec<Vec<u32>> = Vec::new();
    for (bucket, point) in buckets.flatten() {
        let set = (*bucket >> log_buckets) - first_set as u32;
        let magnitude = (*bucket & ((1 << log_buckets) - 1)) + 1;
        let key = set << (log_buckets + 1) | magnitude;
        let place = arena.points.len() as u32;
        arena.points.push(*point);
        match (level.last(), repeated.last_mut()) {
            (Some((last, first)), Some(places)) if *last == key && places[0] == *first => {
                places.push(place);
            }
            (Some((last, first)), _) if *last == key => repeated.push(vec![*first, place]),
            _ => level.push((key, place)),
        }
    }
    let mut sums = Sums::default();
    while !repeated.is_empty() {
        sums.clear();
        for places in &mut repeated {
            pair_up(places, &mut sums);
        }
        repeated.retain(|places| places.len() > 1);
        arena.add(None, &sums);
    }
    level
}

/// Adds neighbours; the places that are left are those of the sums.
fn pair_up(places: &mut Vec<u32>, sums: &mut Sums) {
    for pair in places.chunks_exact(2) {
        sums.push(pair[0], pair[1], pair[0]);
    }
    let mut index = 0;
    places.retain(|_| {
        index += 1;
        index % 2 == 1
    });
}
