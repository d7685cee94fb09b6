//! What a command shows: tables for a person, one JSON document for a program; colours only on a terminal.

use std::io::{self, IsTerminal as _, Write as _};

use auric_status::Problem;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::json;

use crate::fault::Fault;

/// Told of an answer that is not new.
pub const REPLAYED: &str = "replayed: this is the first answer to this key, given again; nothing was done now";

/// How a command shows its answer.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    colours: bool,
}

impl Output {
    /// Decides once, for all that is shown.
    pub fn new(json: bool, refuses_colours: bool) -> Self {
        Self { json, colours: !refuses_colours && io::stdout().is_terminal() }
    }

    /// Shows `document` as JSON, or what `text` makes of it for a person.
    ///
    /// # Errors
    ///
    /// [`Fault::OutputClosed`] when nobody reads.
    pub fn show<T: Serialize>(self, document: &T, text: impl FnOnce(&T) -> String) -> Result<(), Fault> {
        if self.json {
            let rendered = serde_json::to_string_pretty(document).map_err(anyhow::Error::from)?;
            return print(&format!("{rendered}\n"));
        }
        print(&text(document))
    }

    /// Shows one line of an answer that goes on: a document on one line, or what `text` makes of it.
    ///
    /// # Errors
    ///
    /// As [`Self::show`].
    pub fn show_line<T: Serialize>(self, document: &T, text: impl FnOnce(&T) -> String) -> Result<(), Fault> {
        if self.json {
            let rendered = serde_json::to_string(document).map_err(anyhow::Error::from)?;
            return print(&format!("{rendered}\n"));
        }
        print(&text(document))
    }

    /// Shows why a command failed: as a document on standard output for a program, as lines on standard error for a person.
    pub fn show_fault(self, fault: &Fault) {
        if self.json
            && matches!(
                fault,
                Fault::Check { .. }
                    | Fault::Audit { .. }
                    | Fault::CrossService { .. }
                    | Fault::OddsDiffer { .. }
                    | Fault::Receipts { .. }
                    | Fault::OutputClosed
            )
        {
            // The document says it all, or nobody reads.
        } else if self.json {
            let rendered = serde_json::to_string_pretty(&fault_document(fault)).unwrap_or_default();
            let _ = print(&format!("{rendered}\n"));
        } else {
            tell(&fault_text(fault));
        }
    }

    /// Begins a table with these column heads; a head that begins with `>` has its column to the right.
    pub fn table(self, heads: &[&str]) -> Table {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if self.colours {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        let head = |text: &&str| Cell::new(text.trim_start_matches('>')).add_attribute(Attribute::Bold);
        table.set_header(heads.iter().map(head));
        for (index, text) in heads.iter().enumerate() {
            if let Some(column) = table.column_mut(index) {
                column.set_padding((0, 2));
                if text.starts_with('>') {
                    column.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        table
    }
}

/// Tells a person something that is no part of the answer.
pub fn tell(line: &str) {
    // Nobody reads standard error: then there is nobody to tell that.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Renders a table without the spaces that its last column is filled up with.
pub fn render(table: &Table) -> String {
    table.lines().flat_map(|line| [line.trim_end().to_owned(), "\n".to_owned()]).collect()
}

/// Groups digits for a person: 1,000,000.
pub fn grouped(units: i64) -> String {
    let digits = units.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len().saturating_sub(index)).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if units < 0 { format!("-{text}") } else { text }
}

/// The same with its sign, for a change.
pub fn signed(units: i64) -> String {
    if units > 0 { format!("+{}", grouped(units)) } else { grouped(units) }
}

/// Writes a time as RFC 3339 in UTC, to the millisecond; nothing when there is none.
pub fn time(stamp: Option<&prost_types::Timestamp>) -> String {
    let moment = stamp.and_then(|stamp| {
        let nanos = u32::try_from(stamp.nanos).ok()?;
        chrono::DateTime::from_timestamp(stamp.seconds, nanos)
    });
    moment.map(|moment| moment.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)).unwrap_or_default()
}

fn print(text: &str) -> Result<(), Fault> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Fault::OutputClosed),
        written => Ok(written.map_err(anyhow::Error::from)?),
    }
}

fn fault_text(fault: &Fault) -> String {
    let mut lines = vec![format!("error: {fault}")];
    if let Fault::Problem { problem, replayed, .. } = fault {
        if *replayed {
            lines.push(format!("  {REPLAYED}"));
        }
        // A malformed request has its fields in the sentence already.
        let untold = problem.bad_fields.iter().filter(|field| !problem.message.contains(&field.description));
        lines.extend(untold.map(|field| format!("  {}: {}", field.path, field.description)));
    }
    lines.extend(fault.advice().map(|advice| format!("what to do: {advice}")));
    lines.join("\n")
}

fn fault_document(fault: &Fault) -> serde_json::Value {
    let other = Problem::new(tonic::Code::Unknown, "", fault.to_string());
    let (problem, key, replayed) = match fault {
        Fault::Problem { problem, key, replayed } => (&**problem, key.as_deref(), *replayed),
        _ => (&other, None, false),
    };
    let fields: Vec<_> = problem
        .bad_fields
        .iter()
        .map(|field| json!({ "path": field.path, "description": field.description }))
        .collect();
    json!({ "error": {
        "code": code_name(problem.code),
        "reason": problem.reason,
        "message": problem.message,
        "metadata": problem.metadata,
        "bad_fields": fields,
        "retry_after_ms": problem.retry_after.and_then(|delay| u64::try_from(delay.as_millis()).ok()),
        "idempotency_key": key,
        "replayed": replayed,
        "what_to_do": fault.advice(),
    }})
}

/// Spells a code as the gRPC specification does.
pub fn code_name(code: tonic::Code) -> String {
    let mut name = String::new();
    for character in format!("{code:?}").chars() {
        if character.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(character.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn overdraft() -> Fault {
        let message = "player discord:1 has 40 of lumees available, 100 are asked for";
        Problem::new(Code::FailedPrecondition, "INSUFFICIENT_FUNDS", message)
            .with("available", 40)
            .bad_field("legs[0].amount", "100 is more than the 40 that are available")
            .into()
    }

    #[test]
    fn digits_are_grouped_for_a_person() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(-9_007_199_254_740_991), "-9,007,199,254,740,991");
        assert_eq!(signed(100), "+100");
        assert_eq!(signed(-1_100), "-1,100");
        assert_eq!(signed(0), "0");
    }

    #[test]
    fn a_code_is_spelled_as_grpc_does() {
        assert_eq!(code_name(Code::FailedPrecondition), "FAILED_PRECONDITION");
        assert_eq!(code_name(Code::Ok), "OK");
    }

    #[test]
    fn a_time_is_utc_to_the_millisecond() {
        let stamp = prost_types::Timestamp { seconds: 1_700_000_000, nanos: 123_456_789 };
        assert_eq!(time(Some(&stamp)), "2023-11-14T22:13:20.123Z");
        assert_eq!(time(None), "");
    }

    #[test]
    fn a_refusal_names_every_field_and_what_to_do() {
        insta::assert_snapshot!(fault_text(&overdraft().under_key("k-1", true)), @r"
        error: INSUFFICIENT_FUNDS: player discord:1 has 40 of lumees available, 100 are asked for
          replayed: this is the first answer to this key, given again; nothing was done now
          legs[0].amount: 100 is more than the 40 that are available
        what to do: ask for less, under a new key: this key keeps its answer
        ");
    }

    #[test]
    fn a_refusal_as_a_document_has_its_key() {
        let rendered = serde_json::to_string_pretty(&fault_document(&overdraft().under_key("k-1", true))).unwrap();
        insta::assert_snapshot!(rendered, @r#"
        {
          "error": {
            "bad_fields": [
              {
                "description": "100 is more than the 40 that are available",
                "path": "legs[0].amount"
              }
            ],
            "code": "FAILED_PRECONDITION",
            "idempotency_key": "k-1",
            "message": "player discord:1 has 40 of lumees available, 100 are asked for",
            "metadata": {
              "available": "40"
            },
            "reason": "INSUFFICIENT_FUNDS",
            "replayed": true,
            "retry_after_ms": null,
            "what_to_do": "ask for less, under a new key: this key keeps its answer"
          }
        }
        "#);
    }

    #[test]
    fn a_table_has_no_colours_and_no_trailing_spaces_off_a_terminal() {
        let output = Output { json: false, colours: false };
        let mut table = output.table(&["player", ">available"]);
        table.add_row(["discord:1", "1,000"]).add_row(["a", "7"]);
        insta::assert_snapshot!(render(&table), @r"
        player     available
        discord:1      1,000
        a                  7
        ");
    }
}
