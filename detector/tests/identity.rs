//! Ids of findings: what they survive, and what they tell apart.
#![allow(clippy::unwrap_used, reason = "what a test cannot get, fails it")]

mod reports;

use detector::{
    finding::{Certainty, Finding},
    identity::identify,
};
use reports::{frame, lock_order};

fn ids(findings: Vec<Finding>) -> Vec<(String, u64)> {
    identify(findings).into_iter().map(|finding| (finding.id, finding.count)).collect()
}

fn id(finding: Finding) -> String {
    identify(vec![finding]).remove(0).id
}

/// The finding as it would be with lines inserted above.
fn shifted(mut finding: Finding, by: u32) -> Finding {
    for edge in &mut finding.edges {
        for place in edge.held_at.iter_mut().chain(&mut edge.wanted_at) {
            place.line += by;
            place.excerpt.as_mut().unwrap().first_line += by;
        }
        for frame in edge.held_stack.iter_mut().chain(&mut edge.wanted_stack) {
            frame.line = frame.line.map(|line| line + by);
        }
    }
    finding
}

/// The finding as it would be if both functions locked through one helper.
fn through_helper(mut finding: Finding) -> Finding {
    for edge in &mut finding.edges {
        for place in edge.held_at.iter_mut().chain(&mut edge.wanted_at) {
            (place.line, place.column, place.function) = (99, 7, Some("bank::lock".to_owned()));
        }
        edge.held_stack.insert(0, frame("bank::lock", 99));
        edge.wanted_stack.insert(0, frame("bank::lock", 99));
    }
    finding
}

fn in_functions(mut finding: Finding, suffix: &str) -> Finding {
    for frame in finding.edges.iter_mut().flat_map(|edge| edge.held_stack.iter_mut().chain(&mut edge.wanted_stack)) {
        if !frame.function.ends_with("lock") {
            frame.function.push_str(suffix);
        }
    }
    finding
}

#[test]
fn an_id_does_not_depend_on_where_the_cycle_begins() {
    let mut rotated = lock_order();
    rotated.edges.rotate_left(1);
    assert_eq!(ids(vec![lock_order(), rotated]), [(id(lock_order()), 6)]);
}

#[test]
fn lines_inserted_above_change_the_line_id_only() {
    let (before, after) = (identify(vec![lock_order()]).remove(0), identify(vec![shifted(lock_order(), 10)]).remove(0));
    assert_eq!(before.id, after.id);
    assert_ne!(before.line_id, after.line_id);
}

#[test]
fn repeats_are_one_finding_with_a_count_and_the_gravest_certainty() {
    let mut findings = vec![Finding { count: 1, ..lock_order() }; 100];
    findings[50].certainty = Certainty::Proven;
    let merged = identify(findings);
    assert_eq!((merged.len(), merged[0].count, merged[0].certainty), (1, 100, Certainty::Proven));
}

#[test]
fn two_inversions_through_one_helper_are_two_findings() {
    let one = through_helper(lock_order());
    let other = through_helper(in_functions(shifted(lock_order(), 20), "_too"));
    let ids = ids(vec![one, other]);
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0].0, ids[1].0);
    assert!(ids.iter().all(|(id, _)| !id.contains('-')), "{ids:?}");
}

#[test]
fn equal_ids_at_different_lines_are_numbered_in_the_order_of_the_source() {
    let first = id(lock_order());
    for findings in [[lock_order(), shifted(lock_order(), 20)], [shifted(lock_order(), 20), lock_order()]] {
        let merged = identify(findings.to_vec());
        assert_eq!(merged[0].id, first);
        assert_eq!(merged[0].edges[0].held_at.as_ref().unwrap().line, 2);
        assert_eq!(merged[1].id, format!("{first}-2"));
    }
}

#[test]
fn the_text_of_the_lines_goes_in_but_not_its_indentation() {
    let with_text = |edit: fn(&str) -> String| {
        let mut finding = shifted(lock_order(), 20);
        for place in finding.edges.iter_mut().flat_map(|edge| edge.held_at.iter_mut().chain(&mut edge.wanted_at)) {
            let excerpt = place.excerpt.as_mut().unwrap();
            excerpt.text = edit(&excerpt.text);
        }
        id(finding)
    };
    assert_eq!(with_text(|text| text.replace("    ", "\t\t")), id(lock_order()));
    assert_ne!(with_text(|text| text.replace("bank.", "self.")), id(lock_order()));
}

#[test]
fn classes_and_modes_tell_findings_apart() {
    let mut label = lock_order();
    label.objects[0].label = Some("other".to_owned());
    let mut mode = lock_order();
    mode.edges[0].held_mode = Some("shared".to_owned());
    let ids = [id(lock_order()), id(label), id(mode)];
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
}

#[test]
fn without_symbols_the_file_stands_for_the_function() {
    let with_offsets = |offset: u32, directory: &str| {
        let mut finding = lock_order();
        for edge in &mut finding.edges {
            for frame in edge.held_stack.iter_mut().chain(&mut edge.wanted_stack) {
                (frame.function, frame.file, frame.line) = (format!("bank+{offset:#x}"), None, None);
            }
            for place in edge.held_at.iter_mut().chain(&mut edge.wanted_at) {
                place.file = format!("{directory}/src/bank.rs");
            }
        }
        finding
    };
    let one = id(with_offsets(0x1000, "/home/a"));
    assert_eq!(one, id(with_offsets(0x2000, "/home/b")), "neither offsets nor absolute paths go in");
    assert_ne!(one, id(lock_order()));
}

#[test]
fn ids_stay_the_same_for_ever() {
    insta::assert_snapshot!(id(lock_order()));
}
