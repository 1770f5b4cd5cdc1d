//! `data-race`: two accesses of one variable by two threads, one of them a write and one of them not atomic, that nothing
//! orders.
//!
//! Whether anything orders them is found out elsewhere, while a history or a recorded process is gone through. What it is
//! worth is decided here: `observed` if the two were unordered in the run; `proven` if a replayed schedule ends right before
//! both of them; `possible` if either is so but for a doubt, which is told.

use super::{ALL_RECORDED, Help, RawAccess, RawFinding, RawRepair, RawSync, RawWitness};
use crate::finding::{Certainty, Code};

/// A race, as who looks for races knows it.
#[derive(Clone, Debug)]
pub struct RaceOf<'a> {
    /// The two accesses, in the order of the run.
    pub accesses: [RawAccess; 2],
    /// The last that the second access's thread knew of the first one's when it made its access. `None` if nothing ever
    /// ordered the two threads; or, of a schedule, if it is not known.
    pub last_sync: Option<RawSync>,
    /// An atomic that would order the accesses if its orderings were stronger.
    pub repair: Option<RawRepair>,
    /// The schedule after which both accesses come next, if that is what shows the race; `None` if the run does.
    pub witness: Option<RawWitness>,
    /// Why the accesses may be ordered all the same, as a clause behind "but": `the trace has gaps`; empty if nothing says so.
    pub doubt: &'a str,
    /// How often it occurred.
    pub count: u64,
}

/// The finding about a race.
///
/// # Example
/// ```
/// use detector::{
///     analysis::{RawAccess, RawPlace, data_race::{RaceOf, finding}},
///     finding::{AccessOp, Certainty},
///     model::{ObjectId, SiteId, ThreadId},
/// };
///
/// let access = |thread, op| RawAccess {
///     thread: ThreadId(thread),
///     op,
///     object: Some(ObjectId(0)),
///     at: RawPlace::Site(SiteId(thread)),
///     held: Vec::new(),
/// };
/// let accesses = [access(0, AccessOp::Write), access(1, AccessOp::Read)];
/// let race = RaceOf { accesses, last_sync: None, repair: None, witness: None, doubt: "", count: 1 };
/// assert_eq!(finding(race.clone()).certainty, Certainty::Observed);
/// let doubtful = finding(RaceOf { doubt: "17 operations of the run were lost", ..race });
/// assert_eq!(doubtful.certainty, Certainty::Possible);
/// assert!(doubtful.why.ends_with("but 17 operations of the run were lost"));
/// ```
pub fn finding(of: RaceOf<'_>) -> RawFinding {
    let RaceOf { accesses, last_sync, repair, witness, doubt, count } = of;
    let shown = match &witness {
        None => "nothing that was recorded orders the two accesses".to_owned(),
        Some(witness) => format!(
            "a schedule of {} was replayed step by step, behind which both accesses come next",
            match witness.n_operations {
                1 => "1 of its operations".to_owned(),
                n => format!("{n} of its operations"),
            }
        ),
    };
    let (certainty, why) = match (doubt, &witness) {
        ("", None) => (Certainty::Observed, shown),
        ("", Some(_)) => (Certainty::Proven, shown),
        (doubt, _) => (Certainty::Possible, format!("{shown}, but {doubt}")),
    };
    RawFinding {
        // What was not recorded may order what happened, too.
        assumes: vec![ALL_RECORDED.to_owned()],
        count,
        witness,
        accesses: accesses.into(),
        last_sync,
        repair,
        ..RawFinding::new(Code::DataRace, certainty, why, Help::OrderAccesses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        analysis::{RawPlace, RawStep},
        finding::{AccessOp, Op},
        model::{ObjectId, SiteId, ThreadId},
    };

    fn race() -> RaceOf<'static> {
        let access = |thread, op| RawAccess {
            thread: ThreadId(thread),
            op,
            object: Some(ObjectId(3)),
            at: RawPlace::Site(SiteId(thread)),
            held: vec![(ObjectId(4), "exclusive", RawPlace::Site(SiteId(9)))],
        };
        let accesses = [access(1, AccessOp::Free), access(0, AccessOp::AtomicRead)];
        RaceOf { accesses, last_sync: None, repair: None, witness: None, doubt: "", count: 7 }
    }

    fn witness() -> RawWitness {
        let (thread, object, at) = (ThreadId(0), Some(ObjectId(3)), None);
        let step = RawStep { number: 13, thread, op: Op::Read, mode: None, object, other: None, at };
        RawWitness { steps: vec![step], n_operations: 12 }
    }

    #[test]
    fn what_was_unordered_in_the_run_is_observed() {
        let finding = finding(race());
        assert_eq!((finding.code, finding.certainty), (Code::DataRace, Certainty::Observed));
        assert_eq!(finding.why, "nothing that was recorded orders the two accesses");
        assert_eq!((finding.count, finding.assumes), (7, vec![ALL_RECORDED.to_owned()]));
        let threads: Vec<u32> = finding.accesses.iter().map(|access| access.thread.0).collect();
        assert_eq!(threads, [1, 0], "in the order of the run");
    }

    #[test]
    fn what_a_schedule_shows_is_proven_and_says_how_long_that_is() {
        let proven = finding(RaceOf { witness: Some(witness()), ..race() });
        assert_eq!((proven.certainty, proven.witness.map(|witness| witness.steps.len())), (Certainty::Proven, Some(1)));
        assert!(proven.why.starts_with("a schedule of 12 of its operations was replayed"), "{}", proven.why);
    }

    #[test]
    fn a_doubt_makes_either_of_them_possible_and_is_told() {
        for witness in [None, Some(witness())] {
            let possible = finding(RaceOf { witness, doubt: "the order of `m` has gaps", ..race() });
            assert_eq!(possible.certainty, Certainty::Possible);
            assert!(possible.why.ends_with(", but the order of `m` has gaps"), "{}", possible.why);
        }
    }
}
