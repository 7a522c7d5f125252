//! Places in the binary tree of joins, as [`Tree`](crate::model::Tree) counts them.

/// Where an object goes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// It is the final one.
    Root,
    /// Its level has an odd number of objects and it is the last: it takes its parent's place unjoined.
    Carried { parent: u32 },
    /// It is joined with its neighbour.
    Joined { parent: u32, neighbour: u32 },
}

/// Objects of all levels numbered through: leaves from 0, then the level above, to the root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Places {
    /// First number of each level, and one past the root.
    first: Vec<u32>,
}

impl Places {
    /// The tree over so many leaves, at least 1 and at most 2^30.
    pub(super) fn new(leaves: u32) -> Self {
        let (mut first, mut nodes) = (vec![0, leaves], leaves);
        while nodes > 1 {
            nodes = nodes.div_ceil(2);
            first.push(first[first.len() - 1] + nodes);
        }
        Self { first }
    }

    /// Objects on all levels, carried ones counted on each.
    pub(super) fn len(&self) -> usize {
        self.first[self.first.len() - 1] as usize
    }

    /// Level of an object, 0 for leaves.
    pub(super) fn level(&self, node: u32) -> usize {
        self.first.partition_point(|&first| first <= node) - 1
    }

    /// Where it goes.
    pub(super) fn next(&self, node: u32) -> Next {
        let level = self.level(node);
        let [first, end] = [self.first[level], self.first[level + 1]];
        if end - first == 1 {
            return Next::Root;
        }
        let place = node - first;
        let parent = end + place / 2;
        let neighbour = first + (place ^ 1);
        if neighbour >= end {
            Next::Carried { parent }
        } else {
            Next::Joined { parent, neighbour }
        }
    }

    /// The two objects of a join, left and right.
    pub(super) fn joined(&self, parent: u32) -> [u32; 2] {
        let level = self.level(parent);
        let left = self.first[level - 1] + 2 * (parent - self.first[level]);
        [left, left + 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tree;
    use crate::model::cluster::estimate::joins_above;

    #[test]
    fn places_are_those_of_the_tree() {
        for leaves in (1..300).chain([1000, 1023, 1024, 1025]) {
            let (places, tree) = (Places::new(leaves), Tree::new(u64::from(leaves)));
            let mut joins = vec![0u64; tree.joins.len()];
            let (mut carried, mut roots) = (0, 0);
            for node in 0..places.len() as u32 {
                match places.next(node) {
                    Next::Root => roots += 1,
                    Next::Carried { parent } => {
                        carried += 1;
                        assert_eq!(places.level(parent), places.level(node) + 1);
                    }
                    Next::Joined { parent, neighbour } => {
                        assert!(places.joined(parent).contains(&node));
                        assert!(places.joined(parent).contains(&neighbour));
                        joins[places.level(node)] += u64::from(node < neighbour);
                    }
                }
            }
            assert_eq!((roots, carried), (1, tree.odd.len()), "{leaves}");
            assert_eq!(joins, tree.joins, "{leaves}");
        }
    }

    /// Walking the tree counts the joins that the closed form computes.
    #[test]
    fn joins_above_a_leaf() {
        for leaves in (1..130).chain([1000]) {
            let places = Places::new(leaves);
            for leaf in 0..leaves {
                let (mut node, mut joins) = (leaf, 0.0);
                loop {
                    node = match places.next(node) {
                        Next::Root => break,
                        Next::Carried { parent } => parent,
                        Next::Joined { parent, .. } => {
                            joins += 1.0;
                            parent
                        }
                    };
                }
                assert_eq!(joins_above(f64::from(leaf), f64::from(leaves)), joins);
            }
        }
        assert_eq!(joins_above(999.0, 1000.0), 8.0);
        assert_eq!(joins_above(0.0, 1000.0), 10.0);
    }
}
