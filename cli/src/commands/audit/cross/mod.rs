//! `auric audit verify --cross-service`: whether every operation's ends agree in all databases.
//!
//! Of summons, first every operation of the log is compared with its hold and its part. Then the other way round: every part, and every hold that is open, must be of
//! an operation that the log knows. What began while this ran is asked for by its name, so that traffic is no fault: BEGIN is durable before anybody is
//! asked for anything. Bounded: [`PAGE`] at a time, [`AT_ONCE`] calls under way; of each operation only its id is kept.
//!
//! Then what the collection coordinates itself: [`deeds`].

mod compare;
mod deeds;
mod read;

use std::collections::HashSet;
use std::io::IsTerminal as _;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output, grouped};
use compare::{Ends, Kind, Told, Verdict, compare};
use read::{Named, Services};

/// Rows of one page.
const PAGE: i32 = 500;

/// Calls that are under way at the same time.
const AT_ONCE: usize = 16;

/// How often the line that shows the progress is drawn.
const TICK: Duration = Duration::from_millis(100);

#[derive(Debug, Default, Serialize)]
struct Report {
    whole: bool,
    operations_compared: u64,
    operations_pending: u64,
    holds_open: u64,
    parts: u64,
    faults: Vec<FaultDocument>,
}

#[derive(Debug, Serialize)]
struct FaultDocument {
    operation_id: String,
    player_id: String,
    kind: Kind,
    message: String,
}

/// Compares everything, and shows what differs.
///
/// # Errors
///
/// [`Fault::CrossService`] when there are faults; what a service said instead of an answer.
pub async fn run(settings: &Settings, is_quiet: bool, output: Output) -> Result<(), Fault> {
    let services = Services::connect(settings).await?;
    let bar = bar(is_quiet);
    let mut report = Report::default();
    let known = operations(&services, &mut report, &bar).await?;
    holds(&services, &known, &mut report, &bar).await?;
    parts(&services, &known, &mut report, &bar).await?;
    deeds::verify(&services, &mut report, &bar).await?;
    bar.finish_and_clear();
    report.whole = report.faults.is_empty();
    output.show(&report, |report| text(report, output))?;
    if report.whole { Ok(()) } else { Err(Fault::CrossService { faults: report.faults.len() }) }
}

/// Compares every operation of the log; gives their ids.
async fn operations(services: &Services, report: &mut Report, bar: &ProgressBar) -> Result<HashSet<String>, Fault> {
    let mut known = HashSet::new();
    let mut token = String::new();
    loop {
        let (page, next) = services.operations(token).await?;
        let compared = stream::iter(page).map(|told| ends(services, told)).buffered(AT_ONCE);
        let compared: Vec<Ends> = compared.try_collect().await?;
        for ends in compared {
            known.insert(ends.told.operation_id.clone());
            report.note(&ends.told.operation_id, &ends.told.player_id, compare(&ends));
        }
        bar.set_message(format!("{} operations", known.len()));
        token = next;
        if token.is_empty() {
            return Ok(known);
        }
    }
}

async fn ends(services: &Services, told: Told) -> Result<Ends, Fault> {
    let (hold, part) = tokio::try_join!(services.hold(&told.operation_id), services.part(&told.operation_id))?;
    Ok(Ends { told, hold, part })
}

impl Report {
    /// Notes how the ends of one operation stand to each other.
    fn note(&mut self, operation_id: &str, player_id: &str, verdict: Verdict) {
        let differ = match verdict {
            Verdict::Pending => return self.operations_pending = self.operations_pending.saturating_add(1),
            Verdict::Agree => Vec::new(),
            Verdict::Differ(differ) => differ,
        };
        self.operations_compared = self.operations_compared.saturating_add(1);
        self.faults.extend(differ.into_iter().map(|difference| FaultDocument {
            operation_id: operation_id.to_owned(),
            player_id: player_id.to_owned(),
            kind: difference.kind,
            message: difference.message,
        }));
    }
}

/// Looks for open holds that no operation names.
async fn holds(
    services: &Services,
    known: &HashSet<String>,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<(), Fault> {
    let mut token = String::new();
    loop {
        let (page, next) = services.open_holds(token).await?;
        report.holds_open = report.holds_open.saturating_add(count(page.len()));
        report.faults.extend(strangers(services, known, page, Kind::HoldWithoutOperation).await?);
        bar.set_message(format!("{} open holds", report.holds_open));
        token = next;
        if token.is_empty() {
            return Ok(());
        }
    }
}

/// Looks for parts that no operation names.
async fn parts(
    services: &Services,
    known: &HashSet<String>,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<(), Fault> {
    let mut token = String::new();
    loop {
        let (page, next) = services.parts(token).await?;
        report.parts = report.parts.saturating_add(count(page.len()));
        report.faults.extend(strangers(services, known, page, Kind::PartWithoutOperation).await?);
        bar.set_message(format!("{} parts", report.parts));
        token = next;
        if token.is_empty() {
            return Ok(());
        }
    }
}

/// Gives a fault for each of `named` whose operation is in nobody's log.
async fn strangers(
    services: &Services,
    known: &HashSet<String>,
    named: Vec<Named>,
    kind: Kind,
) -> Result<Vec<FaultDocument>, Fault> {
    let unknown: Vec<Named> = named.into_iter().filter(|named| !known.contains(&named.operation_id)).collect();
    let looked = stream::iter(unknown).map(async |named| {
        let is_there = services.has_operation(&named).await?;
        Ok::<_, Fault>((!is_there).then_some(named))
    });
    let strangers: Vec<Option<Named>> = looked.buffered(AT_ONCE).try_collect().await?;
    let fault = |Named { operation_id, player_id, state }| {
        let message = match kind {
            Kind::HoldWithoutOperation => format!("a hold is {state}, and no operation made it"),
            _ => format!("a part is {state}, and no operation asked for it"),
        };
        FaultDocument { operation_id, player_id, kind, message }
    };
    Ok(strangers.into_iter().flatten().map(fault).collect())
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

/// A line on a terminal; nothing where a program reads.
fn bar(is_hidden: bool) -> ProgressBar {
    if is_hidden || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}");
    let bar = ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(TICK);
    bar
}

fn text(report: &Report, output: Output) -> String {
    let state = if report.whole { "agree" } else { "do NOT AGREE" };
    let Report { operations_compared, operations_pending, holds_open, parts, .. } = report;
    let [compared, pending, holds, parts] = [*operations_compared, *operations_pending, *holds_open, *parts]
        .map(|count| grouped(i64::try_from(count).unwrap_or(i64::MAX)));
    let mut text = format!(
        "the services {state}; operations compared {compared}, not done yet {pending}, open holds {holds}, parts {parts}\n"
    );
    if !report.whole {
        let mut table = output.table(&["operation", "player", "fault", "what"]);
        for FaultDocument { operation_id, player_id, kind, message } in &report.faults {
            table.add_row([operation_id.as_str(), player_id, kind.as_str(), message]);
        }
        text.push_str(&output::render(&table));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_named_by_operation_player_and_end() {
        let fault = FaultDocument {
            operation_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
            player_id: "discord:1".to_owned(),
            kind: Kind::PartDiffers,
            message: "it is committed, and its part prepared".to_owned(),
        };
        let report = Report {
            operations_compared: 1_234,
            operations_pending: 1,
            holds_open: 1,
            parts: 1_235,
            faults: vec![fault],
            whole: false,
        };
        insta::assert_snapshot!(text(&report, Output::new(false, true)), @r"
        the services do NOT AGREE; operations compared 1,234, not done yet 1, open holds 1, parts 1,235
        operation                         player     fault         what
        0af7651916cd43dd8448eb211c80319c  discord:1  PART_DIFFERS  it is committed, and its part prepared
        ");
    }
}
