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
