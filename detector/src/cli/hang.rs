//! What `run` does about a hang: says so, ends the processes in it if it should, and keeps it for the report.

use crate::{
    finding::{Code, Finding, Report},
    suppress::Suppressions,
    watch::Hang,
};
use clap::ValueEnum;
use rustix::process::Signal;
use std::cmp::Reverse;

/// What to do about a hang, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OnHang {
    /// End the processes in it, and report.
    Kill,
    /// Say so, and let the program go on.
    Wait,
    /// As kill, by SIGABRT, which leaves a core dump where that is allowed.
    Abort,
}

impl OnHang {
    /// The signal that asks a process in a hang to end, if it is to end.
    pub(super) fn signal(self) -> Option<Signal> {
        match self {
            Self::Kill => Some(Signal::TERM),
            Self::Abort => Some(Signal::ABORT),
            Self::Wait => None,
        }
    }

    /// What is said at once.
    pub(super) fn notice(self, hang: &Hang) -> String {
        let pids: Vec<String> = hang.processes.iter().map(i32::to_string).collect();
        let (processes, hang) = match pids.as_slice() {
            [pid] => (format!("process {pid}"), "hangs"),
            _ => (format!("processes {}", pids.join(", ")), "hang"),
        };
        match self {
            Self::Kill => format!("{processes} {hang} and will be ended (--on-hang wait lets it go on)"),
            Self::Abort => format!("{processes} {hang} and will be aborted"),
            Self::Wait => format!("{processes} {hang}; the program goes on until it ends by itself"),
        }
    }
}

/// Takes out of a hang what is known and accepted; `None` if nothing is left.
pub(super) fn unknown(mut hang: Hang, suppressions: &Suppressions) -> Option<Hang> {
    hang.findings = suppressions.apply(hang.findings).0;
    (!hang.findings.is_empty()).then_some(hang)
}

/// The report on the program's end, with the hangs of before: of processes that were ended the trace may not say any
/// more that they hung, and what it says of their end is nothing but that they were ended.
pub(super) fn with_hangs(mut report: Report, hangs: &[Hang], were_ended: bool) -> Report {
    let hung = |pid: u32| hangs.iter().any(|hang| hang.processes.iter().any(|own| own.cast_unsigned() == pid));
    let is_of_end = |finding: &Finding| {
        were_ended && finding.code == Code::Stall && finding.threads.iter().all(|thread| hung(thread.process))
    };
    report.findings.retain(|finding| !is_of_end(finding) && !hangs.iter().any(|hang| hang.has(finding)));
    for finding in hangs.iter().flat_map(|hang| &hang.findings) {
        if !report.findings.iter().any(|known| known.id == finding.id) {
            report.findings.push(finding.clone());
        }
    }
    report.findings.sort_by_key(|Finding { certainty, code, id, .. }| (Reverse(*certainty), *code, id.clone()));
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Certainty, Thread};

    fn finding(id: &str, code: Code, certainty: Certainty, pid: u32) -> Finding {
        Finding {
            id: id.to_owned(),
            line_id: String::new(),
            code,
            certainty,
            why: String::new(),
            assumes: Vec::new(),
            title: String::new(),
            count: 1,
            threads: vec![Thread { process: pid, thread: 1, name: "main".to_owned(), is_left_behind: false }],
            objects: Vec::new(),
            edges: Vec::new(),
            behind: Vec::new(),
            accesses: Vec::new(),
            last_sync: None,
            witness: None,
            help: String::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_hang_is_in_the_report_once_and_the_end_that_it_was_given_is_not() {
        let hung = finding("a", Code::SelfDeadlock, Certainty::Observed, 7);
        let hang = Hang {
            report: Report::default(),
            findings: vec![hung.clone()],
            processes: vec![7],
            files: Vec::new(),
            has_bystanders: false,
            is_settled: true,
            seen_threads: Vec::new(),
        };
        let stalls = [7, 8].map(|pid| finding(&pid.to_string(), Code::Stall, Certainty::Hazard, pid));
        for known in [Vec::new(), vec![hung]] {
            let findings = known.into_iter().chain(stalls.clone()).collect();
            let ids = |were_ended| {
                let report = Report { findings, ..Report::default() };
                let report = with_hangs(report, std::slice::from_ref(&hang), were_ended);
                report.findings.into_iter().map(|finding| finding.id).collect::<Vec<_>>()
            };
            assert_eq!(ids(true), ["a", "8"]);
        }
        let report = Report { findings: stalls.to_vec(), ..Report::default() };
        assert_eq!(with_hangs(report, &[hang], false).findings.len(), 3);
    }
}
