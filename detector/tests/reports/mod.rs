//! Reports made by hand, for tests of what comes after the analyses.
#![allow(dead_code, unused_imports, reason = "each test binary uses its part")]

mod race;

pub(crate) use race::{proven_race, race};

use detector::finding::{
    Certainty, Code, Coverage, Edge, Excerpt, Finding, Frame, Object, Op, Place, ProgramEnd, Releaser, Report, Stats,
    Step, Thread, Witness,
};

/// The program that the findings are about.
const SOURCE: &str = "\
fn deposit(bank: &Bank) {
    let accounts = bank.accounts.lock().unwrap();
    let audit = bank.audit.lock().unwrap();
    audit.push(accounts.total());
}

fn withdraw(bank: &Bank) {
    let audit = bank.audit.lock().unwrap();
    if audit.is_closed() {
        return;
    }
    let accounts = bank.accounts.lock().unwrap();
}
";

/// The place of the call of `lock` in a line.
pub(crate) fn place(line: u32, function: &str) -> Place {
    let lines: Vec<&str> = SOURCE.lines().collect();
    let column = lines[line as usize - 1].find("lock()").unwrap() as u32 + 1;
    let first_line = line.saturating_sub(1).max(1);
    let text = lines[first_line as usize - 1..(line as usize + 1).min(lines.len())].join("\n") + "\n";
    Place {
        file: "src/bank.rs".to_owned(),
        line,
        column,
        function: Some(function.to_owned()),
        excerpt: Some(Excerpt { first_line, text }),
    }
}

pub(crate) fn frame(function: &str, line: u32) -> Frame {
    Frame { function: function.to_owned(), file: Some("src/bank.rs".to_owned()), line: Some(line), inlined: false }
}

pub(crate) fn thread(number: u32, name: &str) -> Thread {
    Thread { process: 4242, thread: number, name: name.to_owned(), is_left_behind: false }
}

pub(crate) fn object(label: &str, type_name: &str) -> Object {
    Object {
        reference: label.to_owned(),
        kind: "mutex".to_owned(),
        type_name: type_name.to_owned(),
        label: Some(label.to_owned()),
        created_at: None,
        capacity: None,
    }
}

/// Holds one object at a place and wants another at a second one, both in one function.
pub(crate) fn edge(thread: usize, holds: usize, wants: usize, function: &str, lines: (u32, u32)) -> Edge {
    let main = frame("bank::main", 40);
    Edge {
        thread,
        holds: Some(holds),
        held_mode: Some("exclusive".to_owned()),
        held_at: Some(place(lines.0, function)),
        held_stack: vec![frame(function, lines.0), main.clone()],
        released_at: None,
        wants: Some(wants),
        wanted_mode: Some("exclusive".to_owned()),
        wanted_at: Some(place(lines.1, function)),
        wanted_stack: vec![frame(function, lines.1), main],
        could_release: vec![],
    }
}

pub(crate) fn lock_order() -> Finding {
    Finding {
        id: "0123456789abcdef".to_owned(),
        line_id: "fedcba9876543210".to_owned(),
        code: Code::LockOrder,
        certainty: Certainty::Possible,
        why: "no schedule was replayed".to_owned(),
        assumes: vec!["all-communication-recorded".to_owned()],
        title: "threads `deposit` and `withdraw` take `accounts` and `audit` in opposite orders".to_owned(),
        count: 3,
        threads: vec![thread(2, "deposit"), thread(3, "withdraw")],
        objects: vec![object("accounts", "bank::Accounts"), object("audit", "bank::Audit")],
        edges: vec![edge(0, 0, 1, "bank::deposit", (2, 3)), edge(1, 1, 0, "bank::withdraw", (8, 12))],
        behind: Vec::new(),
        accesses: Vec::new(),
        last_sync: None,
        witness: None,
        help: "take `accounts` before `audit` everywhere, as `bank::deposit` (src/bank.rs:3) does".to_owned(),
        notes: Vec::new(),
    }
}

/// A step of a schedule; `object` and `other` are indexes.
pub(crate) fn step(number: u64, thread: usize, op: Op, object: Option<usize>, at: Option<Place>) -> Step {
    let mode = object.map(|_| "exclusive".to_owned());
    Step { step: number, thread, op, mode, object, other: None, at }
}

/// A place that is known from a stack alone, as that of a drop.
pub(crate) fn drop_place(line: u32) -> Place {
    let (file, function) = ("src/bank.rs".to_owned(), Some("bank::audit".to_owned()));
    Place { file, line, column: 0, function, excerpt: None }
}

/// [`lock_order`], with a schedule.
pub(crate) fn proven() -> Finding {
    let mut finding = Finding {
        certainty: Certainty::Proven,
        why: "a schedule of 9 of its operations was replayed step by step and ends in this deadlock".to_owned(),
        ..lock_order()
    };
    finding.threads.push(thread(1, "main"));
    finding.edges[0].released_at = Some(drop_place(5));
    let start = |number, other| Step { other: Some(other), ..step(number, 2, Op::Fork, None, Some(drop_place(30))) };
    let steps = vec![
        start(1, 0),
        start(2, 1),
        step(4, 1, Op::Acquire, Some(1), Some(place(8, "bank::withdraw"))),
        step(5, 1, Op::Release, Some(1), Some(drop_place(11))),
        step(8, 0, Op::Acquire, Some(0), Some(place(2, "bank::deposit"))),
        step(9, 1, Op::Acquire, Some(1), Some(place(8, "bank::withdraw"))),
        step(10, 0, Op::Block, Some(1), Some(place(3, "bank::deposit"))),
        step(11, 1, Op::Block, Some(0), Some(place(12, "bank::withdraw"))),
    ];
    finding.witness = Some(Witness { steps, n_operations: 9 });
    finding
}

pub(crate) fn stall() -> Finding {
    let mut waiting = edge(0, 0, 1, "bank::deposit", (2, 3));
    waiting.could_release = vec![Releaser { thread: 1, why_not: "it waits itself".to_owned() }];
    let receiving = Edge {
        thread: 1,
        holds: None,
        held_mode: None,
        held_at: None,
        held_stack: vec![],
        released_at: None,
        wants: None,
        wanted_mode: Some("receive".to_owned()),
        wanted_at: Some(place(8, "bank::withdraw")),
        wanted_stack: vec![frame("bank::withdraw", 8)],
        could_release: vec![],
    };
    Finding {
        id: "aaaaaaaaaaaaaaaa".to_owned(),
        code: Code::Stall,
        why: "the program was stopped from outside".to_owned(),
        assumes: vec![],
        title: "the program was stopped while 2 threads were waiting: `deposit`, `withdraw`".to_owned(),
        count: 1,
        edges: vec![waiting, receiving],
        behind: Vec::new(),
        help: "look at what each thread waits for".to_owned(),
        ..lock_order()
    }
}

pub(crate) fn report(findings: Vec<Finding>) -> Report {
    Report {
        program: Some(ProgramEnd { exit: Some(0), signal: None, timed_out: false }),
        findings,
        coverage: Coverage { level: "full".to_owned(), unrecorded: vec![], recorded_anything: true },
        stats: Stats { events: 44, threads: 3, processes: 1, objects: 2, lost: 0 },
        ..Report::default()
    }
}
