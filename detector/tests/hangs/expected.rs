//! What is to be found.

use super::{Inside, Side, line_of};

/// A way to hang.
pub(crate) struct Hang {
    /// Of the function, and the test.
    pub(crate) name: &'static str,
    /// The module that it is in.
    module: &'static str,
    pub(crate) code: &'static str,
    /// One finding for each.
    pub(crate) knots: Vec<Knot>,
    /// Whether it is a wait that nobody owns: certain only if every thread of the process is recorded.
    pub(crate) rests_on_reach: bool,
}

/// Threads that wait for each other.
pub(crate) struct Knot {
    /// `thread | what it holds, mode: text of that line | what it wants, mode: text of that line`; `-` for nothing,
    /// `_` for an object without a label.
    links: Vec<String>,
    /// Who waits behind them. `main` is the thread of a test inside tests.
    behind: Vec<&'static str>,
}

impl Hang {
    pub(crate) fn file(&self) -> String {
        format!("src/hangs/{}.rs", self.module)
    }

    /// The thread that runs the tests records nothing, and might be the one to help.
    pub(crate) fn certainty(&self, inside: Inside) -> &'static str {
        if inside == Inside::Test && self.rests_on_reach { "possible" } else { "observed" }
    }

    pub(crate) fn reach(mut self) -> Self {
        self.rests_on_reach = true;
        self
    }
}

impl Knot {
    /// As `links` and `behind` tell them of a finding.
    pub(crate) fn seen(&self, file: &str, main: &str) -> (Vec<(String, Side, Side)>, Vec<String>) {
        let side = |text: &str| {
            let (what, at) = text.split_once(": ")?;
            let (what, mode) = what.rsplit_once(", ").unwrap();
            Some((what.to_owned(), mode.to_owned(), (file.to_owned(), line_of(file, at))))
        };
        let name = |name: &str| if name == "main" { main.to_owned() } else { name.to_owned() };
        let link = |link: &String| {
            let [thread, holds, wants] = link.split(" | ").collect::<Vec<_>>()[..] else { panic!("{link}") };
            (name(thread), side(holds), side(wants))
        };
        let mut links: Vec<_> = self.links.iter().map(link).collect();
        links.sort_unstable();
        let mut behind: Vec<_> = self.behind.iter().map(|thread| name(thread)).collect();
        behind.sort_unstable();
        (links, behind)
    }
}

pub(crate) fn knot(links: &[&str], behind: &[&'static str]) -> Knot {
    Knot { links: links.iter().map(|link| (*link).to_owned()).collect(), behind: behind.to_vec() }
}

pub(crate) fn hang(module: &'static str, name: &'static str, code: &'static str, knots: Vec<Knot>) -> Hang {
    Hang { name, module, code, knots, rests_on_reach: false }
}

fn philosophers(n: usize) -> Knot {
    let link = |idx| {
        let next = (idx + 1) % n;
        format!(
            "philosopher {idx} | fork {idx}, exclusive: a philosopher holds | fork {next}, exclusive: a philosopher wants"
        )
    };
    Knot { links: (0..n).map(link).collect(), behind: vec!["main"] }
}

/// What can be told of the primitives that are recorded.
pub(crate) fn recorded() -> Vec<Hang> {
    [locks(), more_locks(), waits(), channels(), ends()].into_iter().flatten().collect()
}

fn locks() -> Vec<Hang> {
    let ab_ba = [
        "left | alpha, exclusive: left holds alpha | beta, exclusive: left wants beta",
        "right | beta, exclusive: right holds beta | alpha, exclusive: right wants alpha",
    ];
    let relock = ["writer | journal, exclusive: the writer holds the journal | journal, exclusive: append wants"];
    let contended = ["clerk | ledger, exclusive: the clerk holds | ledger, exclusive: the clerk wants"];
    let read_again = [
        "reader | table, shared: the reader holds the table | table, shared: the reader wants the table",
        "writer | - | table, exclusive: the writer wants the table",
    ];
    let ring = [
        "first | table, shared: first holds the table | stats, exclusive: first wants the stats",
        "second | stats, exclusive: second holds the stats | table, shared: second wants the table",
        "writer | - | table, exclusive: the writer of the ring",
    ];
    let upgrade = [
        "first | config, shared: it holds the config | config, exclusive: it wants the config",
        "second | config, shared: it holds the config | config, exclusive: it wants the config",
    ];
    vec![
        hang("locks", "ab_ba", "deadlock", vec![knot(&ab_ba, &["main"])]),
        hang("locks", "cycle_of_3", "deadlock", vec![philosophers(3)]),
        hang("locks", "cycle_of_10", "deadlock", vec![philosophers(10)]),
        hang("locks", "relock", "self-deadlock", vec![knot(&relock, &["main"])]),
        hang("locks", "relock_after_contention", "self-deadlock", vec![knot(&contended, &["main"])]),
        hang("locks", "read_again", "self-deadlock", vec![knot(&read_again, &["main"])]),
        hang("locks", "ring_of_readers", "deadlock", vec![knot(&ring, &["main"])]),
        hang("locks", "upgrade", "self-deadlock", vec![knot(&upgrade, &["main"])]),
    ]
}

fn more_locks() -> Vec<Hang> {
    let shop = [
        "seller | orders, exclusive: the seller holds | stock, exclusive: the seller wants",
        "packer | stock, exclusive: the packer holds | orders, exclusive: the packer wants",
    ];
    let till = [
        "biller | bills, exclusive: the biller holds | cash, exclusive: the biller wants",
        "cashier | cash, exclusive: the cashier holds | bills, exclusive: the cashier wants",
    ];
    let bystanders = [
        "painter | red, exclusive: the painter holds | blue, exclusive: the painter wants",
        "printer | blue, exclusive: the printer holds | red, exclusive: the printer wants",
    ];
    let behind = ["main", "visitor 1", "visitor 2", "visitor 3"];
    vec![
        // The first thread that is joined is of the first.
        hang("locks", "two_hangs", "deadlock", vec![knot(&shop, &["main"]), knot(&till, &[])]),
        hang("locks", "bystanders", "deadlock", vec![knot(&bystanders, &behind)]),
    ]
}

fn waits() -> Vec<Hang> {
    let early_notify =
        ["guest | - | door opened, wait: the guest waits", "opener | - | door opened, notified: the early notify"];
    let early_unpark = ["worker | - | worker, wait: the worker waits"];
    let under_lock = [
        "consumer | state, exclusive: the consumer holds | slot filled, wait: the consumer waits",
        "producer | - | state, exclusive: the producer wants",
    ];
    let after_notify = [
        "reader | journal, exclusive: the reader holds the journal | queue, exclusive: the reader wants the queue",
        "filler | queue, exclusive: the filler holds the queue | journal, exclusive: the filler wants the journal",
    ];
    let lock_after_notify = hang("waits", "lock_after_notify", "deadlock", vec![knot(&after_notify, &["main"])]);
    // To wait it had to lock, in the same order: that could have hung as well, at another line.
    vec![
        hang("waits", "early_notify", "lost-wakeup", vec![knot(&early_notify, &["main"])]).reach(),
        hang("waits", "early_unpark", "lost-wakeup", vec![knot(&early_unpark, &["main"])]).reach(),
        hang("waits", "wait_under_lock", "deadlock", vec![knot(&under_lock, &["main"])]).reach(),
        lock_after_notify,
    ]
}

fn channels() -> Vec<Hang> {
    let cycle =
        ["client | - | replies, receive: the client receives", "server | - | questions, receive: the server receives"];
    let under_lock = [
        "adder | totals, exclusive: the adder holds | parts, receive: the adder receives",
        "giver | - | totals, exclusive: the giver wants",
    ];
    let full = ["logger | - | log, send: the logger sends"];
    let forgotten = ["worker | - | jobs, receive: for job in todo"];
    vec![
        hang("channels", "channel_cycle", "deadlock", vec![knot(&cycle, &["main"])]).reach(),
        hang("channels", "receive_under_lock", "deadlock", vec![knot(&under_lock, &["main"])]).reach(),
        hang("channels", "full_channel", "abandoned-channel", vec![knot(&full, &["main"])]).reach(),
        hang("channels", "forgotten_sender", "abandoned-channel", vec![knot(&forgotten, &["main"])]).reach(),
    ]
}

fn ends() -> Vec<Hang> {
    let join = [
        "main | shared, exclusive: the parent holds it | child, join: the parent joins",
        "child | - | shared, exclusive: the child wants it",
    ];
    let destructor = [
        "main | total, exclusive: the summer holds it | child, join: the summer joins",
        "child | - | total, exclusive: the destructor wants it",
    ];
    let scope = [
        "main | shared, exclusive: the owner of the scope holds it | , scope end: scope(|scope| {",
        "scoped | - | shared, exclusive: the scoped thread wants it",
    ];
    let leaked = [
        "user | - | cache, exclusive: the user wants the cache",
        "filler | cache, exclusive: the filler holds the cache | -",
    ];
    vec![
        hang("ends", "join_under_lock", "deadlock", vec![knot(&join, &[])]),
        hang("ends", "destructor_under_lock", "deadlock", vec![knot(&destructor, &[])]),
        hang("ends", "scope_under_lock", "deadlock", vec![knot(&scope, &[])]),
        hang("ends", "leaked_guard", "abandoned-lock", vec![knot(&leaked, &["main"])]),
    ]
}
