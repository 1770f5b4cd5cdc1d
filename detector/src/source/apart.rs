//! Recorders of one process that record each by itself, since they did not understand each other.

use super::ProcessFile;
use crate::finding::Problem;
use std::collections::BTreeSet;
use trace_format::process::{Apart, Header};

/// A line for each set of recorders of one process that do not know each other.
pub(super) fn problems(processes: &[ProcessFile]) -> Vec<Problem> {
    let headers: Vec<&Header> = processes.iter().map(|process| &process.header).collect();
    let texts = sets(&headers).into_iter().map(|set| text(&headers, &set));
    texts.map(|text| Problem { text, fatal: false }).collect()
}

/// Recorders of one process, as indices of their files, and whether another one is not in the trace.
struct Set {
    members: BTreeSet<usize>,
    is_another_elsewhere: bool,
}

fn sets(headers: &[&Header]) -> Vec<Set> {
    let mut sets: Vec<Set> = Vec::new();
    for (idx, header) in headers.iter().enumerate().filter(|(_, header)| header.apart != Apart::Nobody) {
        let is_meant = |other: &&Header| {
            let is_of_process = (other.boot, other.pid, other.start) == (header.boot, header.pid, header.start);
            is_of_process
                && other.copy != header.copy
                && match header.apart {
                    Apart::Nobody => false,
                    Apart::Copy(copy) => other.copy == copy,
                    Apart::Unknown => true,
                }
        };
        let mut members: BTreeSet<usize> =
            headers.iter().enumerate().filter(|(_, other)| is_meant(other)).map(|(other, _)| other).collect();
        let mut is_another_elsewhere = members.is_empty();
        if is_another_elsewhere && header.apart == Apart::Unknown {
            // In a forked child the other one may not have recorded anything.
            continue;
        }
        members.insert(idx);
        while let Some(at) = sets.iter().position(|set| !set.members.is_disjoint(&members)) {
            let set = sets.swap_remove(at);
            members.extend(set.members);
            is_another_elsewhere |= set.is_another_elsewhere;
        }
        sets.push(Set { members, is_another_elsewhere });
    }
    sets.sort_by_key(|set| set.members.first().copied());
    sets
}

fn text(headers: &[&Header], set: &Set) -> String {
    let members = || set.members.iter().filter_map(|idx| headers.get(*idx));
    let pid = members().next().map_or(0, |header| header.pid);
    let version = |header: &&Header| match header.recorder {
        Some([major, minor, patch]) => format!("{major}.{minor}.{patch}"),
        None => "unknown".to_owned(),
    };
    let versions: Vec<_> = members().map(version).collect();
    let elsewhere = if set.is_another_elsewhere { ", and one that records into another directory" } else { "" };
    format!(
        "process {pid} has {} recorders that do not know each other (instrumented-sync {}{elsewhere}): cycles across \
         them are not seen; use one version in the whole program",
        versions.len() + usize::from(set.is_another_elsewhere),
        versions.join(" and "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use trace_format::{
        process::{APART_UNKNOWN, HEADER_BYTES, MAGIC, word},
        version::CURRENT,
        words::Copied,
    };

    fn header(pid: u64, copy: u64, apart: u64) -> Header {
        let mut words = vec![0_u64; HEADER_BYTES / 8];
        let version = u64::from(CURRENT.pack()) << 32 | copy;
        for (at, value) in [
            (word::MAGIC, MAGIC),
            (word::VERSION, version),
            (word::PID, pid),
            (word::APART, apart),
            (word::RECORDER, 2 << 16),
        ] {
            words[at] = value;
        }
        let bytes: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
        Header::read(&Copied(&bytes)).unwrap()
    }

    fn texts(headers: &[Header]) -> Vec<String> {
        let headers: Vec<_> = headers.iter().collect();
        sets(&headers).iter().map(|set| text(&headers, set)).collect()
    }

    #[test]
    fn who_is_apart_is_counted_once() {
        // Images before and after exec have several files too, and know nothing of each other either.
        assert_eq!(texts(&[header(1, 0, 0), header(1, 1, 0)]), [""; 0]);
        let of_three = texts(&[header(1, 0, 0), header(1, 1, 1), header(1, 2, 2), header(1, 3, 0), header(2, 0, 0)]);
        assert_eq!(of_three.len(), 1, "{of_three:?}");
        assert!(of_three[0].starts_with("process 1 has 3 recorders"), "{of_three:?}");
        assert!(of_three[0].contains("(instrumented-sync 0.2.0 and 0.2.0 and 0.2.0)"), "{of_three:?}");
        assert_eq!(texts(&[header(1, 0, 0), header(1, 1, 1), header(1, 2, 0), header(1, 3, 3)]).len(), 2);
    }

    #[test]
    fn who_is_not_in_the_trace_is_told_of_if_it_recorded() {
        let elsewhere = texts(&[header(1, 0, 1)]);
        assert_eq!(elsewhere.len(), 1);
        assert!(elsewhere[0].starts_with("process 1 has 2 recorders"), "{elsewhere:?}");
        assert!(elsewhere[0].contains("0.2.0, and one that records into another directory)"), "{elsewhere:?}");
        assert_eq!(texts(&[header(1, 0, APART_UNKNOWN)]), [""; 0]);
        assert_eq!(texts(&[header(1, 0, APART_UNKNOWN), header(1, 1, 0)]).len(), 1);
    }
}
