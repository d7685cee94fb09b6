//! The report as text.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::Report;
use crate::summary::Summary;

/// Characters of a statement that are shown.
const STATEMENT_CHARACTERS_MAX: usize = 90;

/// Writes every part of the report that there is something in.
pub fn text(report: &Report) -> String {
    let mut parts = vec![head(report)];
    if !report.scenes.is_empty() {
        parts.push(render(&scenes(report)));
    }
    if let Some(table) = processes(report) {
        parts.push(render(&table));
    }
    if !report.curves.is_empty() {
        parts.push(render(&curves(report)));
    }
    if !report.statements.is_empty() {
        parts.push(render(&statements(report)));
    }
    if !report.figures.is_empty() {
        parts.push(render(&figures(report)));
    }
    parts.join("\n")
}

fn head(report: &Report) -> String {
    let machine = &report.machine;
    let mut text = format!(
        "auric {} on {} processors ({}), {:.0} GiB, shared by load generator, services and database\n",
        report.version,
        machine.processors,
        machine.model,
        crate::float(machine.memory_bytes) / 1_073_741_824.0,
    );
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "windows of {} s after {} s of warm-up, {} of each, the middle one shown",
        report.window_seconds, report.warm_up_seconds, report.rounds
    );
    let set = [("lanes", report.lanes.count), ("batch_max", report.lanes.batch_max)];
    for (name, value) in set.iter().filter_map(|(name, value)| Some((name, (*value)?))) {
        let _ = writeln!(text, "{name} set to {value}");
    }
    if !report.postgres.is_empty() {
        let settings: Vec<String> =
            report.postgres.iter().map(|setting| format!("{}={}", setting.name, setting.value)).collect();
        let _ = writeln!(text, "PostgreSQL: {}", settings.join(" "));
    }
    for what in ["naive", "monolith"] {
        let of_this = report.pools.iter().filter(|tried| tried.what == what);
        let tries: Vec<String> = of_this.map(|tried| format!("{} → {:.0}/s", tried.pool, tried.per_second)).collect();
        if !tries.is_empty() {
            let _ = writeln!(text, "{what} by pool size: {}", tries.join(", "));
        }
    }
    text
}

fn scenes(report: &Report) -> Table {
    let heads = [
        "scene",
        ">in flight",
        ">per second",
        ">p50 ms",
        ">p90",
        ">p99",
        ">p99.9",
        ">refused/s",
        ">CPU µs: client",
        ">service",
        ">database",
        ">others",
        ">MiB",
    ];
    let mut table = begin(&heads);
    for scene in &report.scenes {
        let Some(window) = &scene.median else { continue };
        let mut row = vec![scene.name.to_owned(), scene.in_flight.to_string(), format!("{:.0}", window.per_second)];
        row.extend(latencies(window));
        row.push(format!("{:.0}", window.refused_per_second));
        let cpu = &window.cpu;
        row.extend([cpu.client_us, cpu.service_us, cpu.database_us].map(|us| format!("{us:.0}")));
        row.push(format!("{:.0} %", window.others * 100.0));
        row.push(format!("{:.0}", crate::float(window.memory_bytes) / 1_048_576.0));
        table.add_row(row);
    }
    table
}

/// The processor time of each process, for scenes whose service is several; nothing when there is none.
fn processes(report: &Report) -> Option<Table> {
    let windows = || report.scenes.iter().filter_map(|scene| Some((scene.name, &scene.median.as_ref()?.cpu)));
    let (_, several) = windows().find(|(_, cpu)| !cpu.processes_us.is_empty())?;
    let names: Vec<&str> = several.processes_us.iter().map(|(name, _)| *name).collect();
    let heads: Vec<String> = names.iter().map(|name| format!(">{name}")).collect();
    let mut all_heads = vec!["processor time, µs a unit", ">client"];
    all_heads.extend(heads.iter().map(String::as_str));
    all_heads.extend([">database", ">in all"]);
    let mut table = begin(&all_heads);
    for (scene, cpu) in windows() {
        let mut numbers = vec![Some(cpu.client_us)];
        let of = |name: &&str| cpu.processes_us.iter().find(|(process, _)| process == name).map(|(_, us)| *us);
        match cpu.processes_us.as_slice() {
            // One process does all of it: it stands where the one that is called does.
            [] => numbers.extend(names.iter().enumerate().map(|(place, _)| (place == 0).then_some(cpu.service_us))),
            _ => numbers.extend(names.iter().map(of)),
        }
        numbers.extend([Some(cpu.database_us), Some(cpu.total_us())]);
        let texts = numbers.iter().map(|us| us.map_or_else(String::new, |us| format!("{us:.0}")));
        table.add_row(std::iter::once(scene.to_owned()).chain(texts));
    }
    Some(table)
}

fn latencies(window: &Summary) -> [String; 4] {
    let latency = window.latency;
    [latency.p50_ms, latency.p90_ms, latency.p99_ms, latency.p999_ms].map(|ms| format!("{ms:.2}"))
}

fn curves(report: &Report) -> Table {
    let mut table = begin(&["curve", ">offered", ">per second", ">p50 ms", ">p99 ms"]);
    for curve in &report.curves {
        for point in &curve.points {
            let numbers = [point.per_second, point.p50_ms, point.p99_ms];
            let [per_second, p50, p99] = numbers.map(|number| format!("{number:.2}"));
            table.add_row([curve.name.clone(), point.offered.clone(), per_second, p50, p99]);
        }
    }
    table
}

fn statements(report: &Report) -> Table {
    let mut table = begin(&["statement", ">calls", ">ms each", ">share", ">rows", ">WAL MiB"]);
    for statement in &report.statements {
        let mut text: String = statement.text.chars().take(STATEMENT_CHARACTERS_MAX).collect();
        if text.len() < statement.text.len() {
            text.push('…');
        }
        let calls = crate::float(u64::try_from(statement.calls).unwrap_or(0).max(1));
        table.add_row([
            text,
            statement.calls.to_string(),
            format!("{:.3}", statement.total_ms / calls),
            format!("{:.1} %", statement.share * 100.0),
            statement.rows.to_string(),
            format!("{:.0}", statement.wal_bytes / 1_048_576.0),
        ]);
    }
    table
}

fn figures(report: &Report) -> Table {
    let mut table = begin(&["figure", "", ">must", ">aim", ">reached", "verdict"]);
    for figure in &report.figures {
        table.add_row([
            figure.name.to_owned(),
            figure.of.to_owned(),
            figure.bound_text(figure.must),
            figure.bound_text(figure.aim),
            figure.reached_text(),
            figure.verdict.word().to_owned(),
        ]);
    }
    table
}

/// Begins a table; a head that begins with `>` has its column to the right.
fn begin(heads: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
    table.set_header(heads.iter().map(|head| head.trim_start_matches('>')));
    for (index, head) in heads.iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, 2));
            if head.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
}

fn render(table: &Table) -> String {
    table.lines().flat_map(|line| [line.trim_end().to_owned(), "\n".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Bound, Figure, Unit};
    use crate::report::Machine;
    use crate::rig::Lanes;

    #[test]
    fn a_person_sees_every_figure_with_its_bounds_and_its_verdict() {
        let bounds = (Bound::AtLeast(5.0), Some(Bound::AtLeast(8.0)));
        let report = Report {
            version: "0.1.0",
            machine: Machine { processors: 2, model: "a model".to_owned(), memory_bytes: 24 << 30 },
            window_seconds: 5.0,
            warm_up_seconds: 1.0,
            rounds: 3,
            lanes: Lanes { count: std::num::NonZeroU16::new(2), ..Lanes::default() },
            postgres: Vec::new(),
            pools: Vec::new(),
            scenes: Vec::new(),
            curves: Vec::new(),
            figures: vec![
                Figure::bound("unary Post", "× naive", Unit::Times, bounds, 6.3),
                Figure::bound("unary Post", "× naive", Unit::Times, bounds, 4.0),
                Figure::recorded("transfer", "× unary Post", Unit::Times, 0.5),
            ],
            statements: Vec::new(),
        };
        let expected = "\
auric 0.1.0 on 2 processors (a model), 24 GiB, shared by load generator, services and database
windows of 5 s after 1 s of warm-up, 3 of each, the middle one shown
lanes set to 2

figure                        must       aim  reached  verdict
unary Post  × naive       ≥ 5.00 ×  ≥ 8.00 ×   6.30 ×  reached
unary Post  × naive       ≥ 5.00 ×  ≥ 8.00 ×   4.00 ×  MISSED
transfer    × unary Post                       0.50 ×  recorded
";
        assert_eq!(text(&report), expected);
        assert_eq!(report.missed().len(), 1);
    }
}
