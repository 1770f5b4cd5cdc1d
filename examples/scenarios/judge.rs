//! What the detector says about a run, and whether that is right.

use super::{
    driver::{self, Outcome},
    program::TRACE,
    record::{Record, Verdict},
};
use detector::{
    finding::{Certainty, Code},
    pipeline::{self, Races, Stopped},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write, io, path::Path};

/// A scenario with what became of it.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Its id.
    pub(crate) id: String,
    /// What is known about it.
    pub(crate) verdict: Verdict,
    /// How its run ended.
    pub(crate) outcome: Outcome,
    /// Where the run left the schedule.
    pub(crate) strayed: Option<String>,
    /// Code and certainty of each finding.
    pub(crate) findings: Vec<(&'static str, Certainty)>,
    /// Whether findings and grade agree, if there is a grade.
    pub(crate) agrees: Option<bool>,
}

/// Runs a scenario, with `directory` (empty) for its files, and analyses its trace.
///
/// # Errors
///
/// It cannot be run.
pub(crate) fn judge(record: &Record, directory: &Path) -> io::Result<Judged> {
    let run = driver::run(&record.scenario, directory)?;
    let mut findings = Vec::new();
    if !matches!(run.outcome, Outcome::Unsupported(_)) {
        let reading = pipeline::read(&directory.join(TRACE));
        let report = pipeline::report(&[reading], Stopped::No, Races::default(), directory);
        if let Some(problem) = report.problems.iter().find(|problem| problem.fatal) {
            return Err(io::Error::other(problem.text.clone()));
        }
        findings = report.findings.iter().map(|finding| (finding.code.name(), finding.certainty)).collect();
    }
    let agrees = record.verdict.grade.as_deref().map(|grade| agrees(grade, &run.outcome, &findings));
    let (id, verdict) = (record.scenario.id.clone(), record.verdict.clone());
    Ok(Judged { id, verdict, outcome: run.outcome, strayed: run.strayed, findings, agrees })
}

fn agrees(grade: &str, outcome: &Outcome, findings: &[(&str, Certainty)]) -> bool {
    let gravest = findings.iter().map(|(_, certainty)| *certainty).max();
    !matches!(outcome, Outcome::Unsupported(_))
        && match grade {
            "must_report" => gravest >= Some(Certainty::Possible),
            "must_not_report" => gravest.is_none(),
            _ => gravest <= Some(Certainty::Hazard),
        }
}

impl Judged {
    /// The line of the output.
    pub(crate) fn line(&self) -> Value {
        let findings = self.findings.iter();
        json!({
            "id": self.id,
            "grade": self.verdict.grade,
            "outcome": self.outcome(),
            "findings": findings.map(|(code, certainty)| json!({"code": code, "certainty": certainty.name()})).collect::<Vec<_>>(),
            "agrees": self.agrees,
        })
    }

    /// How the run ended, in a word.
    pub(crate) fn outcome(&self) -> &'static str {
        match self.outcome {
            Outcome::Completed => "completed",
            Outcome::Hung => "hung",
            Outcome::Unsupported(_) => "unsupported",
        }
    }

    /// Whether the run ended otherwise than the record says; `None` if it says nothing or there was no run.
    pub(crate) fn ended_otherwise(&self) -> Option<bool> {
        let observed = match self.verdict.observed.as_deref()? {
            "hangs" => Outcome::Hung,
            _ => Outcome::Completed,
        };
        (!matches!(self.outcome, Outcome::Unsupported(_))).then(|| self.outcome != observed)
    }

    /// What must never happen and has happened: silence about a run that hung, or about a program that races; or the report
    /// of a hang of a program that cannot hang, or of a race of one that cannot race. Not of programs of which the file leaves
    /// open whether they may be reported: there wrong use of a primitive is not modelled as it really is.
    pub(crate) fn broken_rule(&self) -> Option<&'static str> {
        let is_race = |code: &str| code == Code::DataRace.name();
        let reported = |of_race: bool| {
            let mut grave = self.findings.iter().filter(|(_, certainty)| *certainty >= Certainty::Possible);
            grave.any(|(code, _)| is_race(code) == of_race)
        };
        let is_open = self.verdict.grade.as_deref() == Some("may_report")
            && !self.findings.iter().any(|(_, certainty)| *certainty >= Certainty::Proven);
        let can_hang = self.verdict.verified.is_none_or(|verified| verified.hang_reachable);
        let can_race = self.verdict.verified.is_none_or(|verified| verified.race_reachable);
        let must_race = self.verdict.kind.as_deref() == Some("data_race");
        match self.outcome {
            Outcome::Unsupported(_) => None,
            Outcome::Hung if !reported(false) => Some("hung, and was not reported"),
            Outcome::Completed if must_race && !reported(true) => Some("races, and was not reported"),
            _ if is_open => None,
            Outcome::Completed if !can_hang && reported(false) => Some("cannot hang, and was reported to"),
            _ if !can_race && reported(true) => Some("cannot race, and was reported to"),
            _ => None,
        }
    }
}

/// How many agree, of each suite and of each kind.
pub(crate) fn table(judged: &[Judged]) -> String {
    let mut text = String::new();
    let suite = |verdict: &Verdict| Some(verdict.source.as_deref()?.split(':').next()?.to_owned());
    let mut section = |title: &str, key: &dyn Fn(&Verdict) -> Option<String>| {
        let mut rows: BTreeMap<String, [usize; 3]> = BTreeMap::new();
        for one in judged.iter().filter(|one| one.agrees.is_some()) {
            let [agreeing, total, unsupported] =
                rows.entry(key(&one.verdict).unwrap_or_else(|| "-".to_owned())).or_default();
            *agreeing += usize::from(one.agrees == Some(true));
            *total += 1;
            *unsupported += usize::from(one.outcome() == "unsupported");
        }
        for (name, [agreeing, total, unsupported]) in rows {
            // Writing to a string cannot fail.
            let _written = writeln!(text, "{title:<6} {name:<24} {agreeing:>4}/{total:<4} unsupported {unsupported}");
        }
    };
    section("suite", &suite);
    section("kind", &|verdict| verdict.kind.clone());
    section("all", &|_| Some(String::new()));
    text
}
