//! `auric caller`: who may call, in `callers.toml`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use auric_auth::{CallerSummary, Callers, Credential};
use auric_ids::CallerId;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::Subcommand;
use serde::Serialize;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value};

use crate::config::{Flags, Settings};
use crate::fault::Fault;
use crate::output::{self, Output};

/// The registry where none is named.
const FILE_DEFAULT: &str = "callers.toml";

/// What a new registry begins with.
const HEAD: &str = "\
# Who may call Auric. The services read this file anew whenever it changes; a faulty one is refused and the old one stays.
# It has hashes only: `auric caller create NAME --scope SCOPE` shows a credential once and writes its SHA-256 here.
";

/// Makes, lists and revokes credentials.
///
/// A running service takes a change over at once: create another credential, give it to the caller, then revoke the first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric caller create discord-gateway --scope wallet.post --scope wallet.read --days 90
  auric caller create discord-gateway --days 90          another credential, with the scopes that it has
  auric caller create matchmaker --scope 'wallet.*' --certificate matchmaker.internal
  auric caller list
  auric caller revoke discord-gateway --credential 1f0c66ab09d3
  auric caller revoke discord-gateway                    all that it has, and its name")]
pub struct CallerCommand {
    #[command(subcommand)]
    action: Action,

    /// The registry [default: callers.toml; variable: `AURIC_CALLERS`].
    #[arg(long, global = true, value_name = "FILE")]
    file: Option<String>,

    /// Shows the answer as one JSON document.
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a caller, or gives one another credential; the credential is shown once.
    Create(Create),
    /// Lists callers, their scopes, credentials and certificates; never a secret.
    List,
    /// Takes a credential away, or everything that a caller has.
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
struct Create {
    /// The caller's name: what keys, holds and the audit say.
    name: CallerId,

    /// What it may do: a scope, every scope of a service (`wallet.*`), or one method; `auric caller create --help` has examples.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,

    /// Days until the credential ends [default: never].
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..))]
    days: Option<u16>,

    /// A DNS name or URI of its client certificate; then no credential is made.
    #[arg(long, value_name = "NAME", conflicts_with = "days")]
    certificate: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Revoke {
    /// Whose.
    name: CallerId,

    /// Which credential, by the id that `list` shows [default: all, and the caller's name].
    #[arg(long, value_name = "ID")]
    credential: Option<String>,
}

#[derive(Debug, Serialize)]
struct Created {
    caller: String,
    credential: Option<String>,
    id: Option<String>,
    not_after: Option<String>,
    file: PathBuf,
}

#[derive(Debug, Serialize)]
struct Listed {
    caller: String,
    scopes: Vec<&'static str>,
    credentials: Vec<ListedCredential>,
    certificates: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ListedCredential {
    id: String,
    not_after: Option<String>,
}

#[derive(Debug, Serialize)]
struct Revoked {
    caller: String,
    credentials: usize,
    file: PathBuf,
}

impl CallerCommand {
    pub fn flags(&self) -> Flags {
        vec![("access.callers", self.file.clone())]
    }

    pub fn run(self, settings: &Settings, now: DateTime<Utc>, output: Output) -> Result<(), Fault> {
        let file = settings.access.callers.clone().unwrap_or_else(|| FILE_DEFAULT.into());
        match self.action {
            Action::Create(create) => output.show(&create.run(&file, now)?, created),
            Action::List => output.show(&list(&file)?, |callers| listed(callers, output)),
            Action::Revoke(revoke) => output.show(&revoke.run(&file)?, revoked),
        }
    }
}

impl Create {
    fn run(&self, file: &Path, now: DateTime<Utc>) -> Result<Created, Fault> {
        let mut document = if file.exists() { open(file)? } else { DocumentMut::new() };
        let callers = document.entry("callers").or_insert_with(implicit_table);
        let callers = callers.as_table_mut().ok_or_else(|| fault(file, "callers: must be a table"))?;
        let is_new = !callers.contains_key(self.name.as_str());
        if is_new && self.scopes.is_empty() {
            return Err(fault(file, &format!("{} is new: name what it may do with --scope", self.name)));
        }
        let caller = callers.entry(self.name.as_str()).or_insert_with(|| Item::Table(Table::new()));
        let caller =
            caller.as_table_mut().ok_or_else(|| fault(file, &format!("callers.{}: must be a table", self.name)))?;
        if !self.scopes.is_empty() {
            caller["scopes"] = toml_edit::value(self.scopes.iter().collect::<Array>());
        }
        let mut created = Created {
            caller: self.name.to_string(),
            credential: None,
            id: None,
            not_after: None,
            file: file.to_owned(),
        };
        if let Some(certificate) = &self.certificate {
            list_of(caller, "certificates", file)?.push(certificate.as_str());
        } else {
            let credential = Credential::generate(&mut rand::rng());
            let not_after = self.days.and_then(|days| now.checked_add_signed(TimeDelta::days(days.into())));
            let not_after = not_after.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true));
            list_of(caller, "credentials", file)?.push(row(&credential, not_after.as_deref())?);
            created.id = Some(credential.hash().id());
            created.credential = Some(credential.reveal().to_owned());
            created.not_after = not_after;
        }
        save(file, &document)?;
        Ok(created)
    }
}

impl Revoke {
    fn run(&self, file: &Path) -> Result<Revoked, Fault> {
        let mut document = open(file)?;
        let name = self.name.as_str();
        let absent = || fault(file, &format!("there is no caller {name}"));
        let callers = document.get_mut("callers").and_then(Item::as_table_mut).ok_or_else(absent)?;
        let caller = callers.get_mut(name).ok_or_else(absent)?;
        let credentials = caller.get_mut("credentials").and_then(Item::as_array_mut);
        let before = credentials.as_ref().map_or(0, |credentials| credentials.len());
        let revoked = if let Some(id) = &self.credential {
            let credentials = credentials.ok_or_else(|| fault(file, &format!("{name} has no credential")))?;
            let is_meant = |row: &Value| {
                let digits = row.as_inline_table().and_then(|row| row.get("sha256")).and_then(Value::as_str);
                !id.is_empty() && digits.is_some_and(|digits| digits.starts_with(&id.to_ascii_lowercase()))
            };
            let meant = credentials.iter().filter(|row| is_meant(row)).count();
            if meant != 1 {
                return Err(fault(
                    file,
                    &format!("{name} has {meant} credentials whose id begins with {id:?}; name one"),
                ));
            }
            credentials.retain(|row| !is_meant(row));
            meant
        } else {
            callers.remove(name);
            before
        };
        save(file, &document)?;
        Ok(Revoked { caller: name.to_owned(), credentials: revoked, file: file.to_owned() })
    }
}

fn row(credential: &Credential, not_after: Option<&str>) -> Result<Value, Fault> {
    let mut row = InlineTable::new();
    row.insert("sha256", credential.hash().to_string().into());
    if let Some(not_after) = not_after {
        let not_after = toml_edit::Datetime::from_str(not_after).map_err(anyhow::Error::from)?;
        row.insert("not_after", not_after.into());
    }
    Ok(row.into())
}

fn list_of<'a>(caller: &'a mut Table, key: &str, file: &Path) -> Result<&'a mut Array, Fault> {
    let item = caller.entry(key).or_insert_with(|| toml_edit::value(Array::new()));
    item.as_array_mut()
        .ok_or_else(|| fault(file, &format!("{key}: must be a list of values, as in [{{ sha256 = … }}]")))
}

fn implicit_table() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

fn list(file: &Path) -> Result<Vec<Listed>, Fault> {
    let callers = Callers::read(file).map_err(|error| Fault::Config(error.to_string()))?;
    Ok(callers.summaries().into_iter().map(summary).collect())
}

fn summary(caller: CallerSummary) -> Listed {
    let credential = |credential: auric_auth::CredentialSummary| ListedCredential {
        id: credential.id,
        not_after: credential.not_after.map(|time| time.to_string()),
    };
    Listed {
        caller: caller.name.to_string(),
        scopes: caller.scopes,
        credentials: caller.credentials.into_iter().map(credential).collect(),
        certificates: caller.certificates,
    }
}

fn open(file: &Path) -> Result<DocumentMut, Fault> {
    let text = std::fs::read_to_string(file).map_err(|error| fault(file, &error.to_string()))?;
    parse(file, &text)
}

fn parse(file: &Path, text: &str) -> Result<DocumentMut, Fault> {
    text.parse().map_err(|error: toml_edit::TomlError| fault(file, error.message()))
}

/// Writes the whole file beside the old one and then over it, so that a service never reads half of it; nothing is written that a service would refuse.
fn save(file: &Path, document: &DocumentMut) -> Result<(), Fault> {
    // What a file begins with belongs to its first caller, as TOML's editors see it, and would go when that one goes.
    let head = std::fs::read_to_string(file).map_or_else(|_| HEAD.to_owned(), |old| comments_before_all(&old));
    let mut text = document.to_string();
    if !text.starts_with(&head) {
        text.insert_str(0, &head);
    }
    let shown = file.display().to_string();
    Callers::parse(&shown, &text).map_err(|error| Fault::Config(error.to_string()))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut new| {
        new.write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        if let Ok(old) = std::fs::metadata(file) {
            new.as_file().set_permissions(old.permissions())?;
        }
        new.persist(file).map_err(|error| error.error)
    });
    written.map(drop).map_err(|error| fault(file, &format!("cannot be written: {error}")))
}

/// The lines of comments that a file begins with.
fn comments_before_all(text: &str) -> String {
    text.split_inclusive('\n').take_while(|line| line.starts_with('#')).collect()
}

fn fault(file: &Path, reason: &str) -> Fault {
    Fault::Config(format!("{}: {reason}", file.display()))
}

fn created(created: &Created) -> String {
    let Created { caller, file, .. } = created;
    let Some((credential, id)) = created.credential.as_ref().zip(created.id.as_ref()) else {
        return format!("{caller} may call with that certificate; {} says so\n", file.display());
    };
    output::tell("this credential is shown once; give it to the caller as AURIC_CREDENTIAL or in a file");
    let ends = created.not_after.as_deref().unwrap_or("never");
    format!(
        "caller:      {caller}\ncredential:  {credential}\nid:          {id}\nends:        {ends}\nregistry:    {}\n",
        file.display()
    )
}

fn listed(callers: &[Listed], output: Output) -> String {
    let mut table = output.table(&["caller", "scopes", "credentials", "certificates"]);
    for caller in callers {
        let ends = |credential: &ListedCredential| match &credential.not_after {
            Some(not_after) => format!("{} until {not_after}", credential.id),
            None => credential.id.clone(),
        };
        let credentials: Vec<String> = caller.credentials.iter().map(ends).collect();
        table.add_row([
            caller.caller.clone(),
            caller.scopes.join(" "),
            credentials.join(", "),
            caller.certificates.join(" "),
        ]);
    }
    output::render(&table)
}

fn revoked(revoked: &Revoked) -> String {
    format!("{}: {} revoked; {} says so\n", revoked.caller, revoked.credentials, revoked.file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(name: &str, scopes: &[&str], certificate: Option<&str>) -> Create {
        Create {
            name: CallerId::parse(name).unwrap(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            days: certificate.is_none().then_some(30),
            certificate: certificate.map(str::to_owned),
        }
    }

    fn revoke(name: &str, credential: Option<&str>) -> Revoke {
        Revoke { name: CallerId::parse(name).unwrap(), credential: credential.map(str::to_owned) }
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap()
    }

    #[test]
    fn what_is_created_is_listed_and_what_is_revoked_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("callers.toml");
        let first = create("discord:gateway", &["wallet.*"], None).run(&file, now()).unwrap();
        let second = create("discord:gateway", &[], None).run(&file, now()).unwrap();
        create("site", &["wallet.read"], Some("site.internal")).run(&file, now()).unwrap();
        assert_eq!(first.not_after.as_deref(), Some("2026-10-21T14:13:20Z"));

        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# Who may call Auric."), "{text}");
        assert!(!text.contains(first.credential.as_deref().unwrap()), "a registry has hashes only");
        let listed = list(&file).unwrap();
        let ids: Vec<&str> = listed[0].credentials.iter().map(|credential| credential.id.as_str()).collect();
        assert_eq!(ids, [first.id.as_deref().unwrap(), second.id.as_deref().unwrap()]);
        assert_eq!(listed[1].certificates, ["site.internal"]);

        revoke("discord:gateway", first.id.as_deref()).run(&file).unwrap();
        assert_eq!(list(&file).unwrap()[0].credentials.len(), 1);
        revoke("discord:gateway", None).run(&file).unwrap();
        assert_eq!(list(&file).unwrap().len(), 1);
        assert!(std::fs::read_to_string(&file).unwrap().starts_with("# Who may call Auric."), "comments stay");
    }

    #[test]
    fn what_a_service_would_refuse_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("callers.toml");
        create("site", &["wallet.read"], None).run(&file, now()).unwrap();
        let before = std::fs::read_to_string(&file).unwrap();
        let faults = [
            create("shop", &[], None).run(&file, now()).unwrap_err(),
            create("shop", &["wallet.reed"], None).run(&file, now()).unwrap_err(),
            create("shop", &["wallet.read"], Some("")).run(&file, now()).unwrap_err(),
            revoke("shop", None).run(&file).unwrap_err(),
            revoke("site", Some("00")).run(&file).unwrap_err(),
            revoke("site", Some("")).run(&file).unwrap_err(),
        ];
        let shown: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(shown[0].contains("shop is new: name what it may do with --scope"), "{}", shown[0]);
        assert!(shown[1].contains("callers.shop.scopes[0]") && shown[1].contains("wallet.reed"), "{}", shown[1]);
        assert!(shown[2].contains("callers.shop.certificates[0]: must not be empty"), "{}", shown[2]);
        assert!(shown[3].contains("there is no caller shop"), "{}", shown[3]);
        assert!(shown[4].contains("site has 0 credentials whose id begins with \"00\""), "{}", shown[4]);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    }
}
