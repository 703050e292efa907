//! Who is ahead, and who cannot be told apart: rank tiers and cliques of overlapping intervals (statistics.md, sections
//! 2 and 3).

use super::proportion::Interval;

impl Interval {
    /// Whether the two have a number in common; ends count.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.lower <= other.upper && other.lower <= self.upper
    }
}

/// Rank tiers of intervals that stand in the order of their scores, best first (statistics.md, section 2): the leader and
/// all whose intervals overlap the leader's are tier 1; the best of those left leads tier 2, which all of those left join
/// whose intervals overlap its own; and so on. `None` is an interval that is not defined, which has no tier.
///
/// Tiers need not rise down the order: a wide interval far below the leader still overlaps it, and is in tier 1, though a
/// narrow one between the two is not. The best in each tier stand in the order of the tiers.
#[must_use]
pub fn rank_tiers(best_first: &[Option<Interval>]) -> Vec<Option<usize>> {
    let mut tiers = vec![None; best_first.len()];
    let mut tier = 0;
    for (at, leader) in best_first.iter().enumerate() {
        let Some(leader) = leader.filter(|_| tiers[at].is_none()) else { continue };
        tier += 1;
        for (place, interval) in tiers.iter_mut().zip(best_first).skip(at) {
            if place.is_none() && interval.is_some_and(|interval| leader.overlaps(&interval)) {
                *place = Some(tier);
            }
        }
    }
    tiers
}

/// All maximal cliques of the graph whose nodes are the intervals and whose edges join two that overlap: groups in which
/// nobody can be told from anybody, and which nobody can be added to. Each is a list of positions in order; the cliques
/// stand from the highest intervals to the lowest. An interval can be in several.
///
/// In an interval graph a set is a clique if and only if some number lies in all of it (Helly), so one sweep over the
/// ends finds them: just before an interval ends, those that are open are a maximal clique if one began since the last
/// ended. O(n log n) and the size of the answer.
#[must_use]
pub fn maximal_cliques(intervals: &[Interval]) -> Vec<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    enum End {
        // At one number intervals begin before others end: ends count.
        Begins,
        Ends,
    }
    let mut ends: Vec<(f64, End, usize)> = Vec::with_capacity(2 * intervals.len());
    for (at, interval) in intervals.iter().enumerate() {
        ends.push((interval.lower, End::Begins, at));
        ends.push((interval.upper, End::Ends, at));
    }
    ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut open = std::collections::BTreeSet::new();
    let mut cliques: Vec<Vec<usize>> = Vec::new();
    let mut has_grown = false;
    for (_, end, at) in ends {
        match end {
            End::Begins => {
                open.insert(at);
                has_grown = true;
            }
            End::Ends => {
                if has_grown {
                    cliques.push(open.iter().copied().collect());
                }
                has_grown = false;
                open.remove(&at);
            }
        }
    }
    cliques.reverse();
    cliques
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn intervals(ends: &[(f64, f64)]) -> Vec<Interval> {
        ends.iter().map(|(lower, upper)| Interval { lower: *lower, upper: *upper }).collect()
    }

    #[track_caller]
    fn check_tiers(ends: &[(f64, f64)], tiers: &[usize]) {
        let intervals: Vec<Option<Interval>> = intervals(ends).into_iter().map(Some).collect();
        assert_eq!(rank_tiers(&intervals), tiers.iter().copied().map(Some).collect::<Vec<_>>());
    }

    #[track_caller]
    fn check_cliques(ends: &[(f64, f64)], cliques: &[&[usize]]) {
        assert_eq!(maximal_cliques(&intervals(ends)), cliques);
    }

    #[test]
    fn tiers() {
        check_tiers(&[], &[]);
        check_tiers(&[(0.5, 0.6)], &[1]);
        check_tiers(&[(0.8, 0.9), (0.75, 0.85), (0.7, 0.78), (0.1, 0.2)], &[1, 1, 2, 3]);
        // The third does not overlap the leader, only the second.
        check_tiers(&[(0.8, 0.9), (0.7, 0.8), (0.6, 0.75)], &[1, 1, 2]);
        check_tiers(&[(0.5, 0.5), (0.5, 0.5)], &[1, 1]);
        // The last overlaps the leader, whoever stands between.
        check_tiers(&[(687.0, 887.0), (300.0, 400.0), (10.0, 854.0), (10.0, 350.0)], &[1, 2, 1, 2]);
    }

    #[test]
    fn without_an_interval_there_is_no_tier() {
        let some = |lower, upper| Some(Interval { lower, upper });
        assert_eq!(rank_tiers(&[None, some(0.5, 0.6), None, some(0.1, 0.2)]), [None, Some(1), None, Some(2)]);
    }

    #[test]
    fn cliques() {
        check_cliques(&[], &[]);
        check_cliques(&[(0.1, 0.2)], &[&[0]]);
        check_cliques(&[(0.1, 0.2), (0.3, 0.4)], &[&[1], &[0]]);
        // The middle one is in both.
        check_cliques(&[(0.1, 0.3), (0.25, 0.5), (0.4, 0.6)], &[&[1, 2], &[0, 1]]);
        // Ends that touch overlap.
        check_cliques(&[(0.1, 0.2), (0.2, 0.3)], &[&[0, 1]]);
        check_cliques(&[(0.0, 1.0), (0.1, 0.2), (0.15, 0.3), (0.5, 0.6)], &[&[0, 3], &[0, 1, 2]]);
    }

    /// All subsets, kept if all overlap and nobody can be added.
    fn by_force(intervals: &[Interval]) -> BTreeSet<Vec<usize>> {
        let n = intervals.len();
        let members = |set: u32| (0..n).filter(move |at| set >> at & 1 == 1);
        let is_clique = |set: u32| members(set).all(|a| members(set).all(|b| intervals[a].overlaps(&intervals[b])));
        let is_maximal = |set: u32| (0..n).all(|at| set >> at & 1 == 1 || !is_clique(set | 1 << at));
        (1..1_u32 << n).filter(|set| is_clique(*set) && is_maximal(*set)).map(|set| members(set).collect()).collect()
    }

    proptest! {
        #[test]
        fn cliques_are_those_of_brute_force(ends in proptest::collection::vec((0_u8..12, 0_u8..5), 0..9)) {
            let ends: Vec<(f64, f64)> =
                ends.iter().map(|(lower, width)| (f64::from(*lower), f64::from(lower + width))).collect();
            let intervals = intervals(&ends);
            let found = maximal_cliques(&intervals);
            prop_assert_eq!(found.len(), found.iter().collect::<BTreeSet<_>>().len());
            prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), by_force(&intervals));
        }

        /// Both ways: all in a tier overlap its leader, and nobody who overlaps a leader and is in no better tier is left
        /// to a worse one.
        #[test]
        fn a_tier_is_its_leader_and_all_who_overlap_it(ends in proptest::collection::vec((0_u8..50, 0_u8..30), 0..20)) {
            let mut ends: Vec<(f64, f64)> =
                ends.iter().map(|(lower, width)| (f64::from(*lower), f64::from(lower + width))).collect();
            ends.sort_by(|a, b| (b.0 + b.1).total_cmp(&(a.0 + a.1)));
            let intervals = intervals(&ends);
            let tiers = rank_tiers(&intervals.iter().copied().map(Some).collect::<Vec<_>>());
            let tiers: Vec<usize> = tiers.into_iter().map(|tier| tier.expect("has an interval")).collect();
            let leaders: Vec<usize> = (1..=tiers.iter().copied().max().unwrap_or(0))
                .map(|tier| tiers.iter().position(|other| *other == tier).expect("no tier is empty"))
                .collect();
            prop_assert!(leaders.is_sorted());
            for (at, tier) in tiers.iter().enumerate() {
                let first_overlapped = leaders.iter().position(|leader| intervals[*leader].overlaps(&intervals[at]));
                prop_assert_eq!(first_overlapped.map(|place| place + 1), Some(*tier));
            }
        }
    }
}
