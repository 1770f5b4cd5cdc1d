//! Reports made by hand, for tests of what comes after the analyses.
#![allow(dead_code, reason = "each test binary uses its part")]

use detector::finding::{
    Certainty, Code, Coverage, Edge, Excerpt, Finding, Frame, Object, Place, ProgramEnd, Releaser, Report, Stats,
    Thread,
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
    Thread { process: 4242, thread: number, name: name.to_owned() }
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
        help: "take `accounts` before `audit` everywhere, as `bank::deposit` (src/bank.rs:3) does".to_owned(),
    }
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
