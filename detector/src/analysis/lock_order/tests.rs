use super::*;
use crate::analysis::fixture::{Fixture, Held};
use trace_format::Mode::{self, Exclusive as X, Shared as S, SharedRecursive as R};

fn nest(fixture: &mut Fixture, thread: u32, holds: &[Held<'_>], wants: &str, mode: Mode) {
    fixture.nested(thread, holds, wants, mode);
}

fn n_findings(fixture: &Fixture) -> usize {
    let (findings, problems) = run(&fixture.model);
    assert_eq!(problems, []);
    findings.len()
}

fn inversion() -> Fixture {
    let mut fixture = Fixture::default();
    nest(&mut fixture, 0, &[("A", X)], "B", X);
    nest(&mut fixture, 1, &[("B", X)], "A", X);
    fixture
}

#[test]
fn an_inversion_is_one_finding_with_both_edges() {
    let (findings, _) = run(&inversion().model);
    assert_eq!(findings.len(), 1);
    let finding = &findings[0];
    assert_eq!((finding.edges.len(), finding.count), (2, 1));
    let holds: Vec<_> = finding.edges.iter().map(|edge| edge.holds.unwrap().0).collect();
    let wants: Vec<_> = finding.edges.iter().map(|edge| edge.wants.unwrap().0.unwrap()).collect();
    assert_eq!([holds[1], holds[0]], wants[..]);
}

#[test]
fn one_thread_alone_is_nothing() {
    let mut fixture = Fixture::default();
    nest(&mut fixture, 0, &[("A", X)], "B", X);
    nest(&mut fixture, 0, &[("B", X)], "A", X);
    assert_eq!(n_findings(&fixture), 0);
}

#[test]
fn a_gate_prevents_it_unless_both_only_read_it() {
    for (gate, n) in [(X, 0), (S, 1)] {
        let mut fixture = Fixture::default();
        nest(&mut fixture, 0, &[("G", gate), ("A", X)], "B", X);
        nest(&mut fixture, 1, &[("G", S), ("B", X)], "A", X);
        assert_eq!(n_findings(&fixture), n, "{gate:?}");
    }
}

#[test]
fn too_few_permits_prevent_it() {
    for (permits, n) in [(None, 1), (Some(3), 1), (Some(2), 0)] {
        let mut fixture = Fixture::default();
        for (thread, [held, wanted]) in [["A", "B"], ["B", "C"], ["C", "A"]].into_iter().enumerate() {
            nest(&mut fixture, thread as u32, &[("seats", S), (held, X)], wanted, X);
        }
        let seats = fixture.lock("seats");
        fixture.model.objects[seats.idx()].holders_max = permits;
        assert_eq!(n_findings(&fixture), n, "{permits:?}");
    }
}

#[test]
fn must_order_prevents_it() {
    for (before, after) in [(0, 1), (1, 0)] {
        let mut fixture = inversion();
        fixture.order(before, after);
        assert_eq!(n_findings(&fixture), 0);
    }
}

#[test]
fn order_with_a_third_thread_does_not_matter() {
    let mut fixture = inversion();
    fixture.order(0, 2);
    fixture.order(1, 2);
    assert_eq!(n_findings(&fixture), 1);
}

#[test]
fn an_attempt_never_waits_but_holds() {
    let mut fixture = inversion();
    fixture.model.nested[0].may_wait = false;
    assert_eq!(n_findings(&fixture), 0);
}

#[test]
fn readers_wait_for_readers_only_behind_a_writer_of_a_third_thread() {
    let mut fixture = Fixture::default();
    nest(&mut fixture, 0, &[("A", S)], "B", S);
    nest(&mut fixture, 1, &[("B", S)], "A", S);
    assert_eq!(n_findings(&fixture), 0);
    fixture.writer(2, &[], "A");
    fixture.writer(0, &[], "B");
    assert_eq!(n_findings(&fixture), 0, "the writer of B is a reader in the cycle");
    fixture.writer(2, &[], "B");
    assert_eq!(n_findings(&fixture), 0, "one writer cannot queue at both");
    fixture.writer(3, &[], "B");
    let (findings, _) = run(&fixture.model);
    assert_eq!(findings.len(), 1);
    assert!(findings[0].why.contains("writer"), "{}", findings[0].why);
}

#[test]
fn a_writer_behind_a_gate_or_ordered_does_not_queue() {
    let cycle = || {
        let mut fixture = Fixture::default();
        nest(&mut fixture, 0, &[("G", X), ("A", X)], "B", S);
        nest(&mut fixture, 1, &[("B", S)], "A", X);
        fixture
    };
    let mut gated = cycle();
    gated.writer(2, &[("G", X)], "B");
    assert_eq!(n_findings(&gated), 0);
    let mut ordered = cycle();
    ordered.writer(2, &[], "B");
    assert_eq!(n_findings(&ordered), 1);
    ordered.order(2, 0);
    assert_eq!(n_findings(&ordered), 0);
}

#[test]
fn a_recursive_read_does_not_queue() {
    let mut fixture = Fixture::default();
    nest(&mut fixture, 0, &[("A", X)], "B", R);
    nest(&mut fixture, 1, &[("B", S)], "A", X);
    fixture.writer(2, &[], "B");
    assert_eq!(n_findings(&fixture), 0);
}

fn ring(n: u32, n_threads: u32) -> Fixture {
    let mut fixture = Fixture::default();
    let name = |i: u32| format!("L{i:03}");
    for i in 0..n {
        nest(&mut fixture, i % n_threads, &[(&name(i), X)], &name((i + 1) % n), X);
    }
    fixture
}

#[test]
fn cycles_of_any_length_need_as_many_threads() {
    for n in [3, 4, 10, 40] {
        assert_eq!(n_findings(&ring(n, n)), 1, "{n}");
        assert_eq!(n_findings(&ring(n, n - 1)), 0, "{n}");
    }
}

#[test]
fn the_shortest_cycle_comes_first() {
    let mut fixture = ring(5, 5);
    nest(&mut fixture, 6, &[("L003", X)], "L002", X);
    let (findings, _) = run(&fixture.model);
    let lengths: Vec<usize> = findings.iter().map(|finding| finding.edges.len()).collect();
    assert_eq!(lengths, [2, 5]);
}

#[test]
fn repeats_count_and_other_sites_are_other_findings() {
    let mut fixture = inversion();
    for nested in &mut fixture.model.nested {
        nested.count = 100;
    }
    let (findings, _) = run(&fixture.model);
    assert_eq!(findings[0].count, 100);
    fixture.nested(0, &[("A", X)], "B", X).site.0 += 100;
    assert_eq!(n_findings(&fixture), 2);
}

#[test]
fn a_dense_component_is_cut_and_says_so() {
    let mut fixture = Fixture::default();
    for thread in 0..8 {
        for a in 0..40_u32 {
            for b in (0..40).filter(|b| *b != a) {
                nest(&mut fixture, thread, &[(&format!("L{a}"), X)], &format!("L{b}"), X);
            }
        }
    }
    let (findings, problems) = run(&fixture.model);
    assert_eq!(findings.len(), FINDINGS_PER_COMPONENT_MAX);
    assert_eq!(problems.len(), 1);
    assert!(!problems[0].fatal);
}

#[test]
fn repeats_at_one_pair_of_sites_are_counted_and_leave_room_for_another_bug() {
    const N_LOCKS: u32 = 40;
    for labelled in [true, false] {
        let mut fixture = Fixture::default();
        for a in 0..N_LOCKS {
            for b in (0..N_LOCKS).filter(|b| *b != a) {
                let (held, wanted) = (format!("L{a}"), format!("L{b}"));
                let nested = fixture.nested(u32::from(a > b), &[(&held, X)], &wanted, X);
                (nested.holds[0].site, nested.site) = (SiteId(0), SiteId(1));
            }
        }
        // Another bug, of the last locks.
        fixture.nested(0, &[("L38", X)], "M", X);
        fixture.nested(1, &[("M", X)], "L38", X);
        if !labelled {
            fixture.model.objects.iter_mut().for_each(|object| object.label = None);
        }
        let (findings, problems) = run(&fixture.model);
        assert_eq!(problems, []);
        let of_loop = findings.iter().filter(|finding| finding.edges[0].holds.unwrap().2 == SiteId(0));
        let counts: Vec<u64> = of_loop.map(|finding| finding.count).collect();
        assert_eq!(counts.iter().sum::<u64>(), u64::from(N_LOCKS * (N_LOCKS - 1) / 2));
        let n_kept = if labelled { RAW_FINDINGS_PER_KIND_MAX } else { 1 };
        assert_eq!((counts.len(), findings.len()), (n_kept, n_kept + 1));
    }
}
