//! `abandoned-channel`: a thread waits for a message, and whoever could send one has ended or waits for this thread; or
//! it waits for room, and nobody is left to receive. With all senders dropped the receive would have failed: somebody
//! keeps one that will never be used.

use super::{Help, RawEdge, RawFinding, hang::Scene};
use crate::{finding::Code, model::ThreadId};
use trace_format::Kind;

pub(super) fn in_knot(scene: &Scene<'_>) -> Option<RawFinding> {
    let is_message = |thread: &ThreadId| {
        scene.wait(*thread).is_some_and(|wait| matches!(wait.event.kind(), Kind::SEND | Kind::RECEIVE))
    };
    let waiting: Vec<ThreadId> = scene.ownerless().into_iter().filter(is_message).collect();
    let edges: Vec<RawEdge> = waiting.iter().map(|thread| scene.edge_with_newest_hold(*thread)).collect();
    (!waiting.is_empty()).then(|| scene.raw(Code::AbandonedChannel, edges, Help::CloseChannel))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        analysis::{Stopped, fixture::Fixture, hang},
        finding::Certainty,
        model::{ProcessId, Side},
    };
    use std::time::Duration;
    use trace_format::ObjectKind;

    /// The receiver, and the thread that kept a sender and waits for the receiver to end.
    fn forgotten_sender() -> Fixture {
        let mut fixture = Fixture::default();
        fixture.awaits(1, Kind::RECEIVE, ObjectKind::Channel, "C");
        fixture.joins(0, 1);
        fixture.reach("C", Side::Gives, &[0, 1], &[0]);
        fixture
    }

    #[test]
    fn a_sender_kept_by_whoever_waits_for_the_receiver() {
        let findings = hang::run(&forgotten_sender().model, Stopped::No);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!((findings[0].code, findings[0].certainty), (Code::AbandonedChannel, Certainty::Observed));
        assert_eq!((findings[0].edges.len(), &findings[0].behind[..]), (1, &[ThreadId(0)][..]));
    }

    #[test]
    fn a_thread_that_runs_and_cannot_know_the_channel_makes_it_possible_after_a_while() {
        let mut fixture = forgotten_sender();
        fixture.thread(2);
        for (age, n) in [(Duration::from_secs(1), 0), (hang::QUIET, 1)] {
            for thread in &mut fixture.model.threads {
                if let Some(wait) = &mut thread.wait {
                    wait.age = Some(age);
                }
            }
            let findings = hang::run(&fixture.model, Stopped::No);
            assert_eq!(findings.len(), n);
            assert!(findings.iter().all(|finding| finding.certainty == Certainty::Possible));
            assert!(findings.iter().all(|finding| finding.assumes[0].contains("`#3`")), "{findings:?}");
        }
    }

    #[test]
    fn a_sender_that_is_alive_a_timeout_and_an_orderly_end_are_nothing() {
        let mut fixture = forgotten_sender();
        fixture.reach("C", Side::Gives, &[2], &[]);
        fixture.thread(2);
        assert!(hang::run(&fixture.model, Stopped::No).is_empty(), "the third thread may send");
        let mut fixture = forgotten_sender();
        fixture.model.processes[ProcessId(0).idx()].exited = true;
        assert!(hang::run(&fixture.model, Stopped::No).is_empty(), "a worker may be idle when the program ends");
        let mut fixture = forgotten_sender();
        fixture.model.threads[1].wait.as_mut().unwrap().is_over = true;
        assert!(hang::run(&fixture.model, Stopped::No).is_empty(), "a message has been sent");
    }
}
