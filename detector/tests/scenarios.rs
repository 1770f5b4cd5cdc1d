//! Traces of small programs, from file to finding.

mod support;

use detector::{
    analysis::{self, Stopped},
    finding::{Certainty, Code},
    model,
};
use support::{Process, analyse, cycles, cycles_in, trace_of};

#[test]
fn an_inversion_is_found() {
    let script = "
        t1: acq A@1 | acq B@2 | rel B | rel A
        t2: acq B@3 | acq A@4 | rel A | rel B
    ";
    let (model, findings, problems) = analyse([Process::new(7).script(script).to_bytes()]);
    assert_eq!(problems, []);
    assert_eq!(cycles_in(&model, &findings), ["A B"]);
    let lines: Vec<(u32, u32)> = findings[0]
        .edges
        .iter()
        .map(|edge| {
            let line = |site: model::SiteId| model.sites[site.idx()].line;
            (line(edge.holds.unwrap().2), line(edge.wants.unwrap().2))
        })
        .collect();
    assert_eq!(lines, [(1, 2), (3, 4)]);
    let site = &model.sites[findings[0].edges[0].holds.unwrap().2.idx()];
    assert_eq!((site.file.as_str(), site.column), ("src/main.rs", 5));
    assert_eq!(model.stacks[site.stack.unwrap().idx()], [0x1001]);
    let lock = &model.objects[findings[0].edges[0].holds.unwrap().0.idx()];
    assert_eq!((lock.kind.name(), lock.type_name.as_str(), lock.gap), ("mutex", "i32", false));
    assert_eq!(model.sites[lock.created_at.unwrap().idx()].line, 99);
    assert_eq!(model.threads[0].name.as_deref(), Some("main"));
    assert_eq!((model.threads[1].name.as_deref(), model.threads[1].number), (None, 2));
}

#[test]
fn a_gate_lock_prevents_it() {
    let gated = "
        t1: acq G@1 | acq A@1 | acq B@2 | rel B | rel A | rel G
        t2: acq G@1 | acq B@3 | acq A@4 | rel A | rel B | rel G
    ";
    assert!(cycles(gated).is_empty());
    let read_gate = gated.replace("acq G", "read RG").replace("rel G", "rel RG");
    assert_eq!(cycles(&read_gate), ["A B"]);
}

#[test]
fn joined_before_forked_prevents_it() {
    assert!(
        cycles(
            "
        t1: fork t2
        t2: acq A@1 | acq B@2 | rel B | rel A | body_end | end
        t1: join t2 | fork t3
        t3: acq B@3 | acq A@4 | rel A | rel B | body_end | end
    "
        )
        .is_empty()
    );
    let forked_first = "
        t1: fork t2 | fork t3
        t2: acq A@1 | acq B@2 | rel B | rel A | body_end | end
        t1: join t2
        t3: acq B@3 | acq A@4 | rel A | rel B | body_end | end
    ";
    assert_eq!(cycles(forked_first), ["A B"]);
}

#[test]
fn a_scope_that_ended_prevents_it() {
    let script = "
        t1: acq Z@9 | rel Z | scoped t2
        t2: acq A@1 | acq B@2 | rel B | rel A | body_end
        t1: scope_end | acq B@3 | acq A@4 | rel A | rel B
        t2: end
    ";
    assert!(cycles(script).is_empty());
    let before = script.replace("scope_end | ", "").replace("t2: end", "t2: end\nt1: scope_end");
    assert_eq!(cycles(&before), ["A B"]);
}

#[test]
fn a_message_prevents_it_in_one_direction() {
    assert!(
        cycles(
            "
        t1: acq A@1 | acq B@2 | rel B | rel A | send C
        t2: recv C | acq B@3 | acq A@4 | rel A | rel B
    "
        )
        .is_empty()
    );
    for script in [
        "
        t1: send C | acq A@1 | acq B@2 | rel B | rel A
        t2: recv C | acq B@3 | acq A@4 | rel A | rel B
        ",
        "
        t1: acq A@1 | acq B@2 | rel B | rel A
        t2: acq B@3 | acq A@4 | rel A | rel B
        t1: send C
        t2: recv C
        ",
    ] {
        assert_eq!(cycles(script), ["A B"]);
    }
}

#[test]
fn a_message_through_a_third_thread_prevents_it() {
    assert!(
        cycles(
            "
        t1: acq A@1 | acq B@2 | rel B | rel A | send C1
        t3: recv C1 | send C2
        t2: recv C2 | acq B@3 | acq A@4 | rel A | rel B
    "
        )
        .is_empty()
    );
}

#[test]
fn a_disconnected_channel_prevents_it() {
    assert!(
        cycles(
            "
        t1: acq A@1 | acq B@2 | rel B | rel A | drop C
        t3: drop C
        t2: disconnected C | acq B@3 | acq A@4 | rel A | rel B
    "
        )
        .is_empty()
    );
}

#[test]
fn a_dropped_receiver_prevents_it() {
    let script = "
        t1: acq A@1 | acq B@2 | rel B | rel A | rdrop C
        t2: send C | refused C | acq B@3 | acq A@4 | rel A | rel B
    ";
    assert!(cycles(script).is_empty());
    assert_eq!(cycles(&script.replace("rel A | rdrop C", "rel A")), ["A B"]);
}

#[test]
fn a_rendezvous_prevents_it_in_both_directions() {
    let script = "
        t2: send C
        t1: acq A@1 | acq B@2 | rel B | rel A | recv C
        t2: sent C | acq B@3 | acq A@4 | rel A | rel B
    ";
    assert!(cycles(script).is_empty());
    assert_eq!(cycles(&script.replace("sent C | ", "")), ["A B"]);
    let after_receive = "
        t2: send C
        t1: recv C | acq A@1 | acq B@2 | rel B | rel A
        t2: sent C | acq B@3 | acq A@4 | rel A | rel B
    ";
    assert_eq!(cycles(after_receive), ["A B"]);
}

#[test]
fn a_notify_prevents_it() {
    assert!(
        cycles(
            "
        t1: acq A@1 | acq B@2 | rel B | rel A | notify K
        t2: wake K | acq B@3 | acq A@4 | rel A | rel B
    "
        )
        .is_empty()
    );
}

#[test]
fn an_unpark_prevents_it() {
    let script = "
        t1: acq A@1 | acq B@2 | rel B | rel A | unpark t2
        t2: park | acq B@3 | acq A@4 | rel A | rel B
    ";
    assert!(cycles(script).is_empty());
    assert_eq!(cycles(&script.replace("rel A | unpark t2", "rel A").replace("park | ", "")), ["A B"]);
}

#[test]
fn longer_cycles_are_found() {
    assert_eq!(
        cycles(
            "
            t1: acq A@1 | acq B@2 | rel B | rel A
            t2: acq B@3 | acq D@4 | rel D | rel B
            t3: acq D@5 | acq A@6 | rel A | rel D
        "
        ),
        ["A B D"]
    );
    let name = |i: usize| char::from(b'a' + i as u8);
    let lines = (0..10).map(|i| {
        let (held, wanted) = (name(i), name((i + 1) % 10));
        format!("t{i}: acq L{held}@{i} | acq L{wanted}@{i} | rel L{wanted} | rel L{held}")
    });
    let script = lines.collect::<Vec<_>>().join("\n");
    assert_eq!(cycles(&script), ["La Lb Lc Ld Le Lf Lg Lh Li Lj"]);
}

#[test]
fn readers_need_a_queued_writer() {
    let readers = "
        t1: read RA@1 | read RB@2 | rel RB | rel RA
        t2: read RB@3 | read RA@4 | rel RA | rel RB
    ";
    assert!(cycles(readers).is_empty());
    let writers = "
        t3: acq RA@5 | rel RA
        t4: acq RB@6 | rel RB
    ";
    assert_eq!(cycles(&format!("{readers}{writers}")), ["RA RB"]);
    let one_for_both = "
        t3: acq RA@5 | rel RA | acq RB@6 | rel RB
    ";
    assert!(cycles(&format!("{readers}{one_for_both}")).is_empty(), "it cannot queue at both");
    let takes_turns = "
        t3: acq RA@5 | rel RA | acq RB@6 | rel RB
        t4: acq RA@5 | rel RA
    ";
    assert_eq!(cycles(&format!("{readers}{takes_turns}")), ["RA RB"]);
    let one = "
        t3: acq RA@5 | rel RA
    ";
    assert!(cycles(&format!("{readers}{one}")).is_empty());
}

#[test]
fn read_against_write_is_found() {
    assert_eq!(
        cycles(
            "
            t1: read RA@1 | acq B@2 | rel B | rel RA
            t2: acq B@3 | acq RA@4 | rel RA | rel B
        "
        ),
        ["RA B"]
    );
}

#[test]
fn a_downgraded_hold_is_a_shared_one() {
    let script = "
        t1: acq RA@1 | down RA | acq B@2 | rel B | rel RA
        t2: acq B@3 | read RA@4 | rel RA | rel B
    ";
    assert!(cycles(script).is_empty());
    assert_eq!(cycles(&script.replace("down RA | ", "")), ["RA B"]);
}

#[test]
fn an_attempt_does_not_wait_but_holds() {
    assert!(
        cycles(
            "
        t1: acq A@1 | try B@2 | rel B | rel A
        t2: acq B@3 | acq A@4 | rel A | rel B
    "
        )
        .is_empty()
    );
    assert_eq!(
        cycles(
            "
            t1: try A@1 | acq B@2 | rel B | rel A
            t2: acq B@3 | acq A@4 | rel A | rel B
        "
        ),
        ["A B"]
    );
}

#[test]
fn a_hundred_repeats_are_one_finding() {
    let script = "
        t1: acq A@1 | acq B@2 | rel B | rel A
        t2: acq B@3 | acq A@4 | rel A | rel B
    "
    .repeat(100);
    let (model, findings, _) = analyse([Process::new(1).script(&script).to_bytes()]);
    assert_eq!(cycles_in(&model, &findings), ["A B"]);
    assert_eq!(findings[0].count, 100);
    let with_messages = "
        t1: acq A@1 | acq B@2 | rel B | rel A | send C
        t2: acq B@3 | acq A@4 | rel A | rel B | recv C
    "
    .repeat(100);
    let (_, findings, _) = analyse([Process::new(1).script(&with_messages).to_bytes()]);
    assert_eq!((findings.len(), findings[0].count), (1, 100));
}

#[test]
fn processes_are_not_confused() {
    let one = |pid| Process::new(pid).script("t1: acq A@1 | acq B@2 | rel B | rel A").to_bytes();
    let other = |pid| Process::new(pid).script("t1: acq A@1 | rel A | acq B@2 | acq A@1 | rel A | rel B").to_bytes();
    let (model, findings, problems) = analyse([one(1), other(2)]);
    assert_eq!((model.processes.len(), model.threads.len(), findings.len(), problems.len()), (2, 2, 0, 0));
    let inverted = "
        t1: acq A@1 | acq B@2 | rel B | rel A
        t2: acq B@3 | acq A@4 | rel A | rel B
    ";
    let (model, findings, _) = analyse([one(1), Process::new(2).script(inverted).to_bytes()]);
    assert_eq!(cycles_in(&model, &findings), ["A B"]);
    let process = |edge: &analysis::RawEdge| model.threads[edge.thread.idx()].process.0;
    assert!(findings[0].edges.iter().all(|edge| process(edge) == 1));
}

#[test]
fn a_forked_child_knows_its_parents_objects() {
    let parent = Process::new(2).script("t1: acq A@1 | acq B@2 | rel B | rel A");
    // In the child the locks go on where they were, with names that only the parent's file has.
    let mut child = Process::new(1);
    child.forked_from = Some((2, 4));
    let inverted = "
        t1: acq A@1 | acq B@2 | rel B | rel A
        t2: acq B@3 | acq A@4 | rel A | rel B
    ";
    let child = child.script(inverted).to_bytes();
    let (model, findings, problems) = analyse([child, parent.to_bytes()]);
    assert_eq!((cycles_in(&model, &findings), problems), (vec!["A B".to_owned()], vec![]));
}

#[test]
fn a_pending_request_counts_and_a_relock_is_observed() {
    let mut process = Process::new(1).script(
        "
        t1: acq A@1
        t2: acq B@2 | block A@3
        t1: block B@4
    ",
    );
    process.exited = false;
    let (model, findings, _) = analyse([process.to_bytes()]);
    assert!(cycles_in(&model, &findings).is_empty(), "what happened is not predicted as well");
    let [deadlock, stall] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((deadlock.code, deadlock.certainty), (Code::Deadlock, Certainty::Observed));
    assert_eq!((stall.code, stall.certainty), (Code::Stall, Certainty::Hazard));

    let process = Process::new(1).script("t1: acq A@1 | block A@2");
    let (_, findings, _) = analyse([process.to_bytes()]);
    let codes: Vec<_> = findings.iter().map(|finding| (finding.code, finding.certainty)).collect();
    assert_eq!(codes, [(Code::SelfDeadlock, Certainty::Observed)]);
}

#[test]
fn reading_again_is_found_with_a_writer() {
    let script = "
        t1: read RA@1 | read RA@2 | rel RA | rel RA
    ";
    let codes = |script: &str| -> Vec<_> {
        let (_, findings, _) = analyse([Process::new(1).script(script).to_bytes()]);
        findings.iter().map(|finding| (finding.code, finding.certainty)).collect()
    };
    assert_eq!(codes(script), []);
    let with_writer = format!("{script}t2: acq RA@3 | rel RA");
    assert_eq!(codes(&with_writer), [(Code::SelfDeadlock, Certainty::Possible)]);
}

#[test]
fn a_lost_stretch_forgets_what_was_held() {
    let (model, findings, _) = analyse([Process::new(1)
        .script(
            "
            t1: acq A@1 | lost
            t1: acq B@2 | rel B
        ",
        )
        .to_bytes()]);
    assert_eq!((model.nested.len(), findings.len(), model.n_lost), (0, 0, 5));
}

#[test]
fn every_thread_is_listed_when_the_program_was_stopped() {
    let mut process = Process::new(1).script(
        "
        t1: acq A@1 | acq B@2
        t2: block A@3
        t3: end
    ",
    );
    process.exited = false;
    let (model, _) = model::build(&trace_of([process.to_bytes()]));
    let findings = analysis::stall::run(&model, Stopped::TimedOut);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].edges.len(), 3, "two holds of the first thread, one wait of the second");
}
