//! A schedule for people: threads as columns, a row for each step.

use super::words;
use crate::finding::{Finding, Step, Witness};

/// Blanks between columns, and between what is done and where.
const GAP: &str = "  ";

/// Above the numbers.
const HEAD: &str = "step";

/// The schedule of a finding, and where its guards were dropped; or why there is none. Lines are no longer than `width`
/// where names and paths allow.
pub(super) fn render(finding: &Finding, width: usize, colored: bool) -> String {
    let mut lines = match &finding.witness {
        Some(witness) => schedule(finding, witness, width, colored),
        None => vec![words::no_schedule(finding)],
    };
    if let Some(end) = words::schedule_end(finding) {
        lines.extend([String::new(), end]);
    }
    let dropped: Vec<String> = finding.edges.iter().filter_map(|edge| words::dropped(finding, edge)).collect();
    if !dropped.is_empty() {
        lines.push(String::new());
        lines.extend(dropped);
    }
    lines.iter().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// What stands in a row.
enum Row {
    /// Operations that are left out.
    More(u64),
    /// A step: number, column, what is done, where.
    Step { number: u64, column: usize, does: String, place: String },
}

fn schedule(finding: &Finding, witness: &Witness, width: usize, colored: bool) -> Vec<String> {
    let threads = columns(finding, witness);
    let rows = rows(finding, witness, &threads);
    let table = Table { names: threads.iter().map(|idx| words::short_name(finding, *idx)).collect(), rows };
    let layouts = [Table::with_places, Table::with_places_apart];
    let fits = |lines: &Vec<String>| lines.iter().all(|line| line.chars().count() <= width);
    let body = layouts.iter().map(|layout| layout(&table)).find(fits).unwrap_or_else(|| table.as_list());
    let head = words::schedule_title(finding, witness);
    let body = body.into_iter().map(|line| if colored { words::paint(&line) } else { line });
    [head, String::new()].into_iter().chain(body).collect()
}

/// The threads that do something, in the order of their numbers.
fn columns(finding: &Finding, witness: &Witness) -> Vec<usize> {
    let mut threads: Vec<usize> = witness.steps.iter().map(|step| step.thread).collect();
    let key = |idx: &usize| finding.threads.get(*idx).map(|thread| (thread.process, thread.thread));
    threads.sort_unstable_by_key(|idx| (key(idx), *idx));
    threads.dedup();
    threads
}

fn rows(finding: &Finding, witness: &Witness, threads: &[usize]) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut before = 0;
    for step in &witness.steps {
        let Step { step: number, thread, .. } = *step;
        let left_out = number.saturating_sub(before + 1);
        if left_out > 0 {
            rows.push(Row::More(left_out));
        }
        before = number;
        rows.push(Row::Step {
            number,
            column: threads.iter().position(|idx| *idx == thread).unwrap_or_default(),
            does: words::does(finding, step),
            place: words::step_place(finding, step),
        });
    }
    rows
}

/// Rows below the names of threads.
struct Table {
    names: Vec<String>,
    rows: Vec<Row>,
}

impl Table {
    /// Each step with its place, in its thread's column.
    fn with_places(&self) -> Vec<String> {
        self.laid_out(
            |does, place| if place.is_empty() { does.to_owned() } else { format!("{does}{GAP}{place}") },
            |_| "",
        )
    }

    /// The places in a column of their own, behind those of the threads.
    fn with_places_apart(&self) -> Vec<String> {
        self.laid_out(|does, _| does.to_owned(), |place| place)
    }

    fn laid_out(&self, cell: impl Fn(&str, &str) -> String, behind: impl Fn(&str) -> &str) -> Vec<String> {
        let mut widths: Vec<usize> = self.names.iter().map(|name| name.chars().count()).collect();
        for row in &self.rows {
            if let Row::Step { column, does, place, .. } = row
                && let Some(width) = widths.get_mut(*column)
            {
                *width = (*width).max(cell(does, place).chars().count());
            }
        }
        let names = self.names.iter().map(String::as_str).collect::<Vec<_>>();
        let mut lines = vec![self.line(HEAD, &names, &widths, "")];
        for row in &self.rows {
            lines.push(match row {
                Row::More(n) => format!("{}{GAP}{}", self.pad_number(""), words::more_operations(*n)),
                Row::Step { number, column, does, place, .. } => {
                    let text = cell(does, place);
                    let cells: Vec<&str> =
                        (0..widths.len()).map(|at| if at == *column { text.as_str() } else { "" }).collect();
                    self.line(&number.to_string(), &cells, &widths, behind(place))
                }
            });
        }
        lines
    }

    fn line(&self, number: &str, cells: &[&str], widths: &[usize], behind: &str) -> String {
        let mut line = self.pad_number(number);
        for (cell, width) in cells.iter().zip(widths) {
            line.push_str(GAP);
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count())));
        }
        format!("{line}{GAP}{behind}").trim_end().to_owned()
    }

    /// One below the other, each with its thread's name: for many threads, and narrow terminals.
    fn as_list(&self) -> Vec<String> {
        let name_of = |column: usize| self.names.get(column).map_or("?", String::as_str);
        let row = |row: &Row| match row {
            Row::More(n) => format!("{}{GAP}{}", self.pad_number(""), words::more_operations(*n)),
            Row::Step { number, column, does, place, .. } => {
                format!("{}{GAP}{}: {does}{GAP}{place}", self.pad_number(&number.to_string()), name_of(*column))
            }
        };
        self.rows.iter().map(row).collect()
    }

    fn pad_number(&self, number: &str) -> String {
        let width = self.rows.iter().filter_map(|row| match row {
            Row::Step { number, .. } => Some(number.to_string().len()),
            Row::More(_) => None,
        });
        let width = width.max().unwrap_or_default().max(HEAD.len());
        format!("{number:>width$}")
    }
}
