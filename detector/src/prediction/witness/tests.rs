use super::*;
use crate::{prediction, source::std_text};

/// Everything counts, and variables that begin with m are messages.
struct Text<'a>(&'a History);

impl Counts for Text<'_> {
    fn counts(&self, index: u32) -> bool {
        self.0.operations[index as usize].kind != Kind::Branch
    }

    fn is_message(&self, variable: u32) -> bool {
        self.0.variables.text(variable).starts_with('m')
    }
}

/// The steps that are shown of the only deadlock of a text: number, thread, operation, target, and what of other threads.
fn shown(text: &str) -> (u32, Vec<String>) {
    let (history, problems) = std_text::read(text.as_bytes(), "x.std");
    assert_eq!(problems, []);
    let prediction = prediction::predict(&history);
    let [proven] = prediction.proven.as_slice() else { panic!("{prediction:?}") };
    let Shown { steps, n_operations } = show(&history, &proven.witness, &Text(&history));
    let name = |thread: u32| history.threads.text(thread);
    let told = steps.iter().map(|Step { number, index, what }| {
        let operation = history.operations[*index as usize];
        let what = match what {
            What::Happens => String::new(),
            What::Ends(acquired) => {
                assert!(*acquired < *index && history.operations[*acquired as usize].kind == Kind::Acquire);
                String::new()
            }
            What::Starts(other) => format!(" starts {}", name(*other)),
            What::Precedes(other) => format!(" before {}", name(*other)),
            What::Follows(other) => format!(" after {}", name(*other)),
            What::Blocks => " blocks".to_owned(),
        };
        let (thread, kind, target) = (name(operation.thread), operation.kind.name(), history.target_name(operation));
        format!("{number} {thread} {kind} {target}{what}")
    });
    (n_operations, told.collect())
}

/// Lines from `thread: operation operation …`, in this order.
fn text(lines: &[&str]) -> String {
    let of_line = |line: &&str| {
        let (thread, operations) = line.split_once(": ").unwrap_or_default();
        operations.split(' ').map(|operation| format!("{thread}|{operation}|1\n")).collect::<Vec<_>>().concat()
    };
    lines.iter().map(of_line).collect()
}

#[test]
fn what_blocks_comes_last_behind_what_is_held() {
    let (n, steps) = shown(&text(&["A: acq(x) acq(y) rel(y) rel(x)", "B: acq(y) acq(x) rel(x) rel(y)"]));
    assert_eq!(n, 2);
    assert_eq!(steps, ["1 A acq x", "2 B acq y", "3 A acq y blocks", "4 B acq x blocks"]);
}

#[test]
fn who_starts_the_threads_is_shown_and_who_starts_them() {
    let (n, steps) = shown(&text(&[
        "M: w(v) fork(P) w(v)",
        "P: r(v) fork(A) fork(B) fork(C)",
        "C: acq(z) rel(z)",
        "A: acq(x) acq(y) rel(y) rel(x)",
        "B: acq(y) acq(x) rel(x) rel(y)",
    ]));
    assert_eq!(n, 8, "C, which has nothing to do with it, does nothing; P does what comes before it starts B");
    assert_eq!(
        steps,
        [
            "2 M fork P starts P",
            "5 P fork A starts A",
            "6 P fork B starts B",
            "7 A acq x",
            "8 B acq y",
            "9 A acq y blocks",
            "10 B acq x blocks",
        ]
    );
}

#[test]
fn messages_between_the_threads_are_steps_of_both() {
    let (_, steps) = shown(&text(&[
        "M: w(m0)",
        "A: r(m0) acq(x) w(m1) acq(y) rel(y) rel(x)",
        "B: acq(u) rel(u) acq(y) r(m1) acq(x) rel(x) rel(y)",
    ]));
    assert_eq!(
        steps,
        [
            // The first that a thread does is to be started.
            "1 M w m0 starts A",
            "2 A acq x",
            "3 A w m1 before B",
            "6 B acq y",
            "7 B r m1 after A",
            "8 A acq y blocks",
            "9 B acq x blocks",
        ]
    );
}

#[test]
fn other_locks_that_are_held_at_the_end_are_shown_and_their_sections_before_are_not() {
    let (_, steps) =
        shown(&text(&["A: acq(o) rel(o) acq(o) acq(x) acq(y) rel(y) rel(x) rel(o)", "B: acq(y) acq(x) rel(x) rel(y)"]));
    assert_eq!(steps, ["3 A acq o", "4 A acq x", "5 B acq y", "6 A acq y blocks", "7 B acq x blocks"]);
}

#[test]
fn of_many_sections_the_latest_are_shown() {
    let mut lines = vec!["A: acq(x) acq(y) rel(y) rel(x)"; 10_000];
    // The reads keep the sections in the schedule.
    let last = "A: w(v) acq(q) acq(x) acq(y) rel(y) rel(x) rel(q)";
    lines.push(last);
    lines.push("B: r(v) acq(y) acq(x) rel(x) rel(y)");
    let (n, steps) = {
        let text = text(&lines);
        let (history, _) = std_text::read(text.as_bytes(), "x.std");
        let prediction = prediction::predict(&history);
        let longest = prediction.proven.iter().max_by_key(|proven| proven.witness.schedule.len());
        let Shown { steps, n_operations } = show(&history, &longest.unwrap().witness, &Text(&history));
        (n_operations, steps)
    };
    assert!(n >= 40_000, "{n}");
    assert!(steps.len() <= CONTEXT_MAX + 4, "{}", steps.len());
    assert!(steps.windows(2).all(|pair| pair[0].number < pair[1].number));
    assert_eq!(steps.iter().filter(|step| step.what == What::Blocks).count(), 2);
    let first = steps.first().map_or(0, |step| step.number);
    assert!(first + 60 > n, "the latest: {first} of {n}");
}

#[test]
fn of_many_threads_few_are_shown() {
    let others: Vec<String> = (0..50).map(|n| format!("T{n}: r(v{n}) acq(x) rel(x) w(v{})", n + 1)).collect();
    let mut lines = vec!["M: w(v0)"];
    lines.extend(others.iter().map(String::as_str));
    lines.extend(["A: r(v50) acq(x) acq(y) rel(y) rel(x)", "B: acq(y) acq(x) rel(x) rel(y)"]);
    let (_, steps) = shown(&text(&lines));
    let mut threads: Vec<&str> = steps.iter().filter_map(|step| step.split(' ').nth(1)).collect();
    threads.sort_unstable();
    threads.dedup();
    assert_eq!(threads.len(), 2 + OTHER_THREADS_MAX, "{steps:#?}");
    assert!(threads.contains(&"T49") && !threads.contains(&"T0"), "{threads:?}");
}
