//! Recorded traces as histories, for tools that read others' formats.
//!
//! The order is the merge's. What the formats lack is said with what they have:
//!
//! * **Shared locks.** They know one mode. A lock that is ever held in another one becomes several: one for each thread that holds it
//!   shared (`lock/r.worker`), which that thread takes to read, and one for upgradable holds (`lock/u`). Who writes takes
//!   all of them, in the same order always. So the same holds exclude each other as before.
//! * **Must-order** by channels, notifies, barriers and tasks. Where it leaves a thread, that thread writes a variable of its own
//!   (`edge1`), and where it arrives it is read, both under a lock of that name, so that nobody takes it for a race.
//! * **Tasks** own the locks that they hold over suspensions, and have the name of a thread.
//! * **Permits** of semaphores are left out: they exclude nobody.
//!
//! What cannot be said is told as a problem: acquires that may fail or give up look like all others. Requests are kept if nothing
//! answered them, as in a run that hung; waits and notifies are their must-order.

mod expand;
mod taken;

use crate::{
    finding::Problem,
    history::{Builder, History, Origin},
    merge::{self, FirstPass, Objects},
    source::{Family, Trace},
};
use expand::Expansion;
use rustc_hash::{FxHashMap, FxHashSet};
use taken::Taken;
use trace_format::ObjectKind;

/// The history of a trace; `name` is what its problems call it. Processes that have nothing to do with each other follow one
/// another.
pub fn history_of(trace: &Trace, name: &str) -> (History, Vec<Problem>) {
    let mut builder = Builder::new(Origin::Events(name.to_owned()));
    let mut counts = Counts::default();
    for file in &trace.families {
        let prefix = match file.members.first() {
            Some(first) if trace.families.len() > 1 => format!("{}.", first.header.pid),
            _ => String::new(),
        };
        let first = FirstPass::new(file);
        let ids = first.threads.clone();
        let mut taken = Taken::new(&first);
        let merged = merge::run(file, first, &mut taken);
        counts.gaps += merged.n_gaps;
        counts.lost += taken.n_lost.saturating_add(file.n_lost());
        counts.may_fail += taken.n_may_fail;
        let threads = thread_names(file, &ids, &prefix);
        let locks = lock_names(file, &merged.objects, &taken, &prefix);
        Expansion::new(&mut builder, file, &threads, &locks, &prefix).add_all(&taken);
    }
    let (history, mut problems) = builder.finish();
    problems.extend(counts.problems(name));
    (history, problems)
}

/// What a text does not say.
#[derive(Default)]
struct Counts {
    gaps: u64,
    lost: u64,
    may_fail: u64,
}

impl Counts {
    fn problems(&self, name: &str) -> impl Iterator<Item = Problem> {
        let Self { gaps, lost, may_fail } = self;
        let texts = [
            (*may_fail > 0).then(|| {
                format!(
                    "{name}: {may_fail} acquires that may fail or give up look like all others: other tools may take them for \
                     places where a thread is stuck"
                )
            }),
            (*lost + *gaps > 0).then(|| {
                format!("{name}: {lost} operations are lost, and {gaps} more out of order: others may seem wrong; record again")
            }),
        ];
        texts.into_iter().flatten().map(|text| Problem { text, fatal: false })
    }
}

/// Names of the threads by their numbers in the merge, each a different one.
fn thread_names(file: &Family, ids: &[u64], prefix: &str) -> Vec<String> {
    let records: FxHashMap<u64, _> = file.dictionary.threads.iter().map(|record| (record.object, record)).collect();
    let mut names = Distinct::default();
    let name = |(id, number): (&u64, u32)| {
        let record = records.get(id);
        let pid = file.members.get(file.member_of_object(*id)).map_or(0, |member| member.header.pid);
        let is_main = record.is_some_and(|record| record.tid == pid);
        let prefix = if file.members.len() > 1 { &format!("{pid}.") } else { prefix };
        let name = record.map(|record| record.name.as_str()).filter(|name| !name.is_empty());
        match name.or(is_main.then_some("main")) {
            // A number alone means something else to readers of such texts.
            Some(name) if !name.bytes().all(|byte| byte.is_ascii_digit()) => {
                names.make(&format!("{prefix}{name}"), number)
            }
            _ => names.make(&format!("{prefix}T{number}"), number),
        }
    };
    ids.iter().zip(1..).map(name).collect()
}

/// Names of the locks by their numbers in the merge, each a different one.
fn lock_names(file: &Family, objects: &Objects, taken: &Taken, prefix: &str) -> Vec<String> {
    let mut names = Distinct::default();
    let name = |object: u32| {
        let id = objects.id(object);
        let class = taken.classes.get(&object).and_then(|class| file.dictionary.classes.get(class));
        let kind = class.map_or(ObjectKind::Unknown, |class| class.kind).name();
        match file.dictionary.labels.get(&id) {
            Some(label) => names.make(&format!("{prefix}{label}"), id),
            None => names.make(&format!("{prefix}{kind}#{id}"), id),
        }
    };
    (0..objects.len() as u32).map(name).collect()
}

/// Makes names that can stand in a line.
#[derive(Default)]
struct Distinct {
    made: FxHashSet<String>,
}

impl Distinct {
    /// The name without what a line cannot have, and with the number if it is taken.
    fn make(&mut self, name: &str, number: impl std::fmt::Display) -> String {
        let mut name = name.replace(|letter: char| letter <= ' ' || letter == '|', "-");
        if self.made.contains(&name) {
            name = format!("{name}#{number}");
        }
        while !self.made.insert(name.clone()) {
            name.push('\'');
        }
        name
    }
}
