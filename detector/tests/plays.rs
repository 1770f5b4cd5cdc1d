//! Real processes: those that hang are told of at once and by name, those that could have are predicted, the others are let alone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it stands, in its own functions too")]

#[path = "plays/left_behind.rs"]
mod left_behind;
#[path = "support/outside.rs"]
mod outside;
#[path = "plays/play.rs"]
mod play;

use outside::{check, findings};
use play::{Link, Play, Side, play, text, who};
use serde_json::Value;
use std::time::Duration;

/// From the moment when the last of them stands still.
const SOON: Duration = Duration::from_secs(2);

const AB_BA: Play = Play {
    name: "ab_ba",
    code: "deadlock",
    links: &[
        Link::new("main of left", "accounts// left takes accounts", "journal// left wants journal"),
        Link::new("main of right", "journal// right takes journal", "accounts// right wants accounts"),
    ],
    behind: &["main of director"],
};

const CIRCLES: [Play; 5] = [
    AB_BA,
    Play { name: "through_a_shell", ..AB_BA },
    Play {
        name: "ring",
        code: "deadlock",
        links: &[
            Link::new("main of first", "one// takes its own", "two// wants the next"),
            Link::new("main of second", "two// takes its own", "three// wants the next"),
            Link::new("main of third", "three// takes its own", "one// wants the next"),
        ],
        behind: &["main of director"],
    },
    Play {
        name: "mixed",
        code: "deadlock",
        links: &[
            Link::new("main of client", "requests// client takes requests", "replies// client wants replies"),
            Link::new("reader of server", "cache// reader takes cache", "requests// reader wants requests"),
            Link::new("writer of server", "replies// writer takes replies", "cache// writer wants cache"),
        ],
        behind: &["main of director", "main of server"],
    },
    Play {
        name: "two_addresses",
        code: "deadlock",
        links: &[
            Link::new(
                "main of left",
                "accounts// left, elsewhere, takes accounts",
                "journal// left, elsewhere, wants journal",
            ),
            Link::new(
                "main of right",
                "journal// right, elsewhere, takes journal",
                "accounts// right, elsewhere, wants accounts",
            ),
        ],
        behind: &["main of director"],
    },
];

const OTHER_HANGS: [Play; 4] = [
    Play {
        name: "two_handles",
        code: "self-deadlock",
        links: &[Link::new("main", "accounts// takes it by one handle", "accounts// wants it by the other")],
        behind: &[],
    },
    Play {
        name: "child_needs_the_lock",
        code: "deadlock",
        links: &[
            Link::new("main of child", "", "ledger// child wants ledger"),
            Link::new("main of parent", "ledger// parent takes ledger", "// parent waits for its child"),
        ],
        behind: &[],
    },
    Play {
        name: "early_notify",
        code: "lost-wakeup",
        links: &[
            Link::new("main of consumer", "", "filled// consumer waits for a notify that was"),
            Link::new("main of producer", "", "filled// nobody waits yet"),
        ],
        behind: &["main of director"],
    },
    Play {
        name: "fork_that_locks",
        code: "abandoned-lock",
        links: &[
            Link::new("keeper (before the fork) of forked", "cache// keeper has cache", ""),
            Link::new("main of forked", "", "cache// forked wants cache"),
        ],
        behind: &[],
    },
];

#[test]
fn what_hangs_is_told_at_once_and_by_name() {
    for expected in CIRCLES.iter().chain(&OTHER_HANGS) {
        let name = expected.name;
        let trace = tempfile::tempdir().unwrap();
        let played = play(name, "hangs", &["--trace", trace.path().to_str().unwrap()]);
        assert_eq!(played.status, 1, "{name}: {}", played.stderr);
        let (after, allowed) = (played.told_after.unwrap(), SOON + played.starved);
        assert!(after <= allowed, "{name}: told after {after:?}, {allowed:?} are allowed");
        compare(expected, &played.report, "observed");
        // Those behind it go on when it is ended.
        let is_parent_in_it = ["two_handles", "child_needs_the_lock"].contains(&name);
        assert_eq!(played.report["program"]["exit"] == 0, !is_parent_in_it, "{name}: {:#}", played.report);
        // The trace says the same afterwards.
        let (dead, status) = check(trace.path());
        assert_eq!(status, 1, "{name}: {dead:#}");
        let ids = |report: &Value| text(&findings(report)[0], "id").to_owned();
        assert_eq!(ids(&dead), ids(&played.report), "{name}: {dead:#}");
    }
}

#[test]
fn what_completes_and_could_have_hung_is_predicted() {
    for expected in &CIRCLES {
        let played = play(expected.name, "completes", &[]);
        assert_eq!(played.status, 1, "{}: {}", expected.name, played.stderr);
        compare(&Play { code: "lock-order", behind: &[], ..*expected }, &played.report, "proven");
        assert_eq!(played.report["program"]["exit"], 0);
    }
}

#[test]
fn a_child_whose_environment_was_cleared_stays_in_the_trace() {
    let played = play("cleared_environment", "completes", &[]);
    let [finding] = findings(&played.report).as_slice() else { panic!("{:#}", played.report) };
    assert_eq!((text(finding, "code"), text(finding, "certainty")), ("lock-order", "proven"));
    assert_eq!(played.report["stats"]["processes"], 2);
}

#[test]
fn what_cannot_hang_is_not_accused() {
    for (name, n_processes) in [
        ("killed_while_waiting", 3),
        ("fork_that_does_not_lock", 2),
        ("equal_addresses", 3),
        ("ordered", 3),
        ("one_after_the_other", 21),
        ("unrelated_wait", 2),
        // One process, but two programs.
        ("exec", 2),
        ("unrecorded_child", 1),
    ] {
        let played = play(name, "completes", &["--deny", "hazard"]);
        assert_eq!(findings(&played.report).len(), 0, "{name}: {:#}", played.report);
        assert_eq!(played.status, 0, "{name}: {}", played.stderr);
        assert_eq!(played.report["stats"]["processes"], n_processes, "{name}: {:#}", played.report);
        assert_eq!(played.told_after, None, "{name}: {}", played.stderr);
    }
}

/// Whoever waits for it goes on; a note says who died, and where it had taken the lock.
#[test]
fn a_dead_owner_is_named_and_nobody_is_accused() {
    let played = play("owner_killed", "completes", &[]);
    assert_eq!(played.status, 0, "{}", played.stderr);
    let [finding] = findings(&played.report).as_slice() else { panic!("{:#}", played.report) };
    assert_eq!((text(finding, "code"), text(finding, "certainty")), ("abandoned-lock", "hazard"));
    let title = text(finding, "title");
    assert!(
        title.starts_with("`writer of victim (process ") && title.contains("died while it held `accounts`"),
        "{title}"
    );
    let victim = finding["edges"].as_array().unwrap().iter().find(|edge| who(finding, edge) == "writer of victim");
    assert_eq!(Side::of(victim.unwrap(), "held"), Some(Side::expected("accounts// victim dies with accounts")));
    // The one who took it over was told as much: `process 4711 (plays), thread `writer` 4712, died while …`.
    let told = played.stdout.lines().find(|line| line.ends_with("died while it held `accounts`")).unwrap();
    let pid = finding["threads"].as_array().unwrap().iter().find(|thread| text(thread, "name").contains("victim"));
    assert!(told.starts_with(&format!("process {} (plays), thread `writer` ", pid.unwrap()["process"])), "{told}");
}

/// Compares the one finding of a report.
fn compare(expected: &Play, report: &Value, certainty: &str) {
    let name = expected.name;
    let [finding] = findings(report).as_slice() else { panic!("{name}: {report:#}") };
    assert_eq!((text(finding, "code"), text(finding, "certainty")), (expected.code, certainty), "{name}: {finding:#}");
    let mut links: Vec<_> = finding["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| (who(finding, edge), Side::of(edge, "held"), Side::of(edge, "wanted")))
        .collect();
    links.sort_unstable();
    let side = |side: &str| (!side.is_empty()).then(|| Side::expected(side));
    let expected_links: Vec<_> =
        expected.links.iter().map(|link| (link.who.to_owned(), side(link.holds), side(link.wants))).collect();
    assert_eq!(links, expected_links, "{name}: {finding:#}");
    let behind = finding["behind"].as_array().unwrap().iter();
    let mut behind: Vec<_> = behind.map(|thread| who(finding, &serde_json::json!({ "thread": thread }))).collect();
    behind.sort_unstable();
    assert_eq!(behind, expected.behind, "{name}: {finding:#}");
    // The title names them as the links do, but for a ring, which it may tell from any of its members.
    for link in
        expected.links.iter().filter(|link| link.who.contains(" of ") && !link.wants.contains("nobody waits yet"))
    {
        let title = text(finding, "title");
        assert!(title.contains(&format!("`{} (process ", link.who)), "{name}: {title}");
    }
    assert!(!text(finding, "help").is_empty() && !text(finding, "help").contains('?'), "{name}: {finding:#}");
}
