//! What the renderers make of reports, hand-made here.
#![allow(clippy::unwrap_used, reason = "what a test cannot get, fails it")]

mod reports;

use detector::{
    finding::{AccessOp, Certainty, Code, Op, Problem, RaceCount, RaceRule, Report, SyncOp},
    render::{Format, render},
};
use reports::{lock_order, proven, proven_race, race, report, stall};

fn human(report: &Report) -> String {
    render(report, Format::Human, false)
}

#[test]
fn a_lock_order_finding_for_people() {
    insta::assert_snapshot!(human(&report(vec![lock_order()])));
}

#[test]
fn a_race_for_people() {
    insta::assert_snapshot!(human(&report(vec![race()])));
}

#[test]
fn a_race_in_json() {
    let json: serde_json::Value = serde_json::from_str(&render(&report(vec![race()]), Format::Json, false)).unwrap();
    let finding = &json["findings"][0];
    let race = serde_json::json!({"accesses": finding["accesses"], "last_sync": finding["last_sync"], "notes": finding["notes"]});
    insta::assert_snapshot!(serde_json::to_string_pretty(&race).unwrap());
}

#[test]
fn a_finding_without_source_for_people() {
    let mut finding = lock_order();
    for edge in &mut finding.edges {
        for place in edge.held_at.iter_mut().chain(&mut edge.wanted_at) {
            place.excerpt = None;
        }
    }
    insta::assert_snapshot!(human(&report(vec![finding])));
}

#[test]
fn a_stalled_program_for_people() {
    insta::assert_snapshot!(human(&report(vec![stall()])));
}

#[test]
fn nothing_found_for_people() {
    insta::assert_snapshot!(human(&report(vec![])));
}

#[test]
fn nothing_recorded_for_people() {
    insta::assert_snapshot!(human(&Report::default()));
}

#[test]
fn everything_that_can_be_wrong_for_people() {
    let mut report = report(vec![lock_order()]);
    report.suppressed = 2;
    report.stats.lost = 17;
    report.coverage.unrecorded = vec!["parking_lot locks".to_owned(), "spin locks".to_owned()];
    report.problems = vec![
        Problem { text: "/tmp/t/1-2-0.events is cut off: record again".to_owned(), fatal: true },
        Problem { text: "deadlock-check.toml: nothing has the id `a`".to_owned(), fatal: false },
    ];
    report.hints = vec!["/app/bank has no line tables".to_owned()];
    let text = human(&report);
    let closing = text.rsplit("\n\n").next().unwrap();
    insta::assert_snapshot!(closing);
}

#[test]
fn findings_in_short() {
    insta::assert_snapshot!(render(&report(vec![lock_order(), stall()]), Format::Short, false));
}

#[test]
fn findings_in_json() {
    insta::assert_snapshot!(render(&report(vec![lock_order()]), Format::Json, false));
}

#[test]
fn a_schedule_in_json() {
    let json: serde_json::Value = serde_json::from_str(&render(&report(vec![proven()]), Format::Json, false)).unwrap();
    let finding = &json["findings"][0];
    let released: Vec<_> =
        finding["edges"].as_array().unwrap().iter().map(|edge| &edge["released_at"]["line"]).collect();
    assert_eq!(released, [&serde_json::json!(5), &serde_json::Value::Null]);
    let steps = finding["witness"].as_array().unwrap();
    assert_eq!(steps.len(), 8);
    assert_eq!((&steps[1]["op"], &steps[1]["other"]), (&serde_json::json!("fork"), &serde_json::json!(1)));
    assert_eq!(
        steps[7],
        serde_json::json!({
            "step": 11, "thread": 1, "op": "block", "mode": "exclusive", "object": "accounts", "other": null,
            "at": {"file": "src/bank.rs", "line": 12, "column": 34, "function": "bank::withdraw"}
        })
    );
}

#[test]
fn colours_only_when_asked_for() {
    let report = report(vec![lock_order()]);
    assert!(!human(&report).contains('\x1b'));
    assert!(render(&report, Format::Human, true).contains('\x1b'));
    assert!(!render(&report, Format::Json, true).contains('\x1b'));
}

#[test]
fn no_string_of_a_trace_reaches_a_terminal_raw() {
    let evil = "\x1b[31m\u{202e}\r\u{9b}x\n::error::y";
    let mut finding = lock_order();
    finding.title = format!("title {evil}");
    finding.threads[0].name = evil.to_owned();
    finding.objects[0].reference = evil.to_owned();
    for edge in &mut finding.edges {
        edge.held_stack[0].function = evil.to_owned();
        edge.held_stack[0].file = Some(evil.to_owned());
        let place = edge.held_at.as_mut().unwrap();
        place.file = evil.to_owned();
        let excerpt = place.excerpt.as_mut().unwrap();
        excerpt.text = excerpt.text.replace("let", "\x1b\u{202e}t");
    }
    let mut race = proven_race();
    race.notes = vec![evil.to_owned()];
    race.last_sync = reports::race().last_sync;
    race.last_sync.as_mut().unwrap().from.at.as_mut().unwrap().file = evil.to_owned();
    for access in &mut race.accesses {
        access.at.as_mut().unwrap().file = evil.to_owned();
        access.stack[0].function = evil.to_owned();
        for held in &mut access.held {
            held.mode = evil.to_owned();
            held.at.as_mut().unwrap().function = Some(evil.to_owned());
        }
    }
    let mut report = report(vec![finding, stall(), race]);
    report.hints = vec![evil.to_owned()];
    report.problems = vec![Problem { text: evil.to_owned(), fatal: true }];
    report.coverage.unrecorded = vec![evil.to_owned()];
    for format in [Format::Human, Format::Short, Format::Json] {
        let text = render(&report, format, false);
        let raw = text.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(raw, None, "{format:?}:\n{text}");
        assert!(!text.lines().any(|line| line.starts_with("::error::")), "{format:?}");
    }
    let json: serde_json::Value = serde_json::from_str(&render(&report, Format::Json, false)).unwrap();
    assert_eq!(json["findings"][0]["threads"][0]["name"], evil, "JSON keeps what it was");
}

/// Checks a document against the schema: types, required keys, enumerations, and that no key is undescribed.
fn check(schema: &serde_json::Value, root: &serde_json::Value, value: &serde_json::Value, path: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        return check(target, root, value, path);
    }
    if let Some(variants) = schema["anyOf"].as_array() {
        if value.is_null() {
            assert!(variants.iter().any(|variant| variant["type"] == "null"), "{path} may not be null");
        } else {
            check(variants.iter().find(|variant| variant["type"] != "null").unwrap(), root, value, path);
        }
        return;
    }
    let types: Vec<&str> = match &schema["type"] {
        serde_json::Value::String(one) => vec![one],
        several => several.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect(),
    };
    let actual = match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "boolean",
        serde_json::Value::Number(_) => "integer",
        serde_json::Value::String(_) => "string",
        serde_json::Value::Array(_) => "array",
        serde_json::Value::Object(_) => "object",
    };
    assert!(types.contains(&actual), "{path} is {actual}, not {types:?}");
    if let Some(values) = schema["enum"].as_array() {
        assert!(values.contains(value), "{path}");
    }
    for (idx, item) in value.as_array().into_iter().flatten().enumerate() {
        check(&schema["items"], root, item, &format!("{path}[{idx}]"));
    }
    if let Some(object) = value.as_object() {
        for required in schema["required"].as_array().unwrap() {
            assert!(object.contains_key(required.as_str().unwrap()), "{path} lacks {required}");
        }
        for (key, value) in object {
            let described = &schema["properties"][key];
            assert!(described.is_object(), "{path}.{key} is not described");
            check(described, root, value, &format!("{path}.{key}"));
        }
    }
}

#[test]
fn json_is_what_the_schema_says() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../schema/report-1.0.json")).unwrap();
    let mut full = report(vec![lock_order(), stall(), proven(), race(), proven_race()]);
    full.race_counts = vec![RaceCount { rule: RaceRule::HappensBefore, events: 2, locations: 1 }];
    full.problems = vec![Problem { text: "x".to_owned(), fatal: true }];
    full.hints = vec!["y".to_owned()];
    for report in [full, Report::default()] {
        let json: serde_json::Value = serde_json::from_str(&render(&report, Format::Json, false)).unwrap();
        check(&schema, &schema, &json, "report");
    }
}

#[test]
fn the_schema_lists_every_name() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../schema/report-1.0.json")).unwrap();
    let listed = |pointer: &str| {
        let names = schema.pointer(pointer).unwrap()["enum"].as_array().unwrap();
        names.iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed("/$defs/finding/properties/code"), Code::ALL.map(Code::name));
    assert_eq!(listed("/$defs/finding/properties/certainty"), Certainty::ALL.map(Certainty::name));
    assert_eq!(listed("/$defs/step/properties/op"), Op::ALL.map(Op::name));
    assert_eq!(listed("/$defs/access/properties/op"), AccessOp::ALL.map(AccessOp::name));
    assert_eq!(listed("/$defs/sync_point/properties/op"), SyncOp::ALL.map(SyncOp::name));
    assert_eq!(listed("/properties/race_counts/items/properties/rule"), RaceRule::ALL.map(RaceRule::name));
}
