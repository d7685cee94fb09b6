//! The registry of callers: `callers.toml`, read as a whole or refused as a whole.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use auric_ids::CallerId;
use auric_time::Timestamp;
use chrono::{DateTime, FixedOffset};
use serde::Deserialize;
use thiserror::Error;

use crate::credential::{Credential, CredentialHash};
use crate::scope::{Grants, scope_of};

/// The largest registry that is read.
const BYTES_MAX: u64 = 1024 * 1024;

/// Credentials of one caller at most: a rotation needs two.
const CREDENTIALS_MAX: usize = 16;

/// Why a registry is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}: {key}: {reason}")]
pub struct CallersError {
    /// The file.
    pub file: String,
    /// The dotted key, or `-` for the file as a whole.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Why nobody is let in; the caller of the service learns no more than this.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Neither a credential nor a certificate that is known came with the request.
    #[error("no credential came with the request, and no client certificate that is known")]
    Missing,
    /// `authorization` has another form than `Bearer …`.
    #[error("`authorization` must be `Bearer` and a credential")]
    Malformed,
    /// Nobody has this credential.
    #[error("the credential is not known")]
    Unknown,
    /// The credential is known and its time is over.
    #[error("the credential of {caller} ended at {not_after}")]
    Expired {
        /// Whose it was.
        caller: CallerId,
        /// When it ended.
        not_after: Timestamp,
    },
    /// The credential and the client certificate belong to different callers.
    #[error("the credential and the client certificate are those of different callers")]
    Ambiguous,
}

/// One caller: a name, and what it may do.
#[derive(Debug)]
pub struct Caller {
    /// Its name: what keys, holds and the audit say.
    pub name: CallerId,
    grants: Grants,
    widened: String,
}

impl Caller {
    /// Whether it may call the method at `path`, such as `/auric.wallet.v1.WalletService/Post`.
    #[must_use]
    pub fn may_call(&self, path: &str) -> bool {
        scope_of(path).is_some_and(|scope| self.grants.allow(path, scope))
    }

    /// The scopes of it that no method asks for by itself, such as `admin.holds`, with spaces between.
    #[must_use]
    pub fn widened(&self) -> &str {
        &self.widened
    }
}

/// What a person may see of a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerSummary {
    /// Its name.
    pub name: CallerId,
    /// Its scopes, spelled out.
    pub scopes: Vec<&'static str>,
    /// Its credentials, in the order of the file.
    pub credentials: Vec<CredentialSummary>,
    /// The names of its client certificates.
    pub certificates: Vec<String>,
}

/// What a person may see of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialSummary {
    /// The first digits of its hash.
    pub id: String,
    /// When it ends, if ever.
    pub not_after: Option<Timestamp>,
}

/// Everybody who may call.
#[derive(Debug, Default)]
pub struct Callers {
    callers: Vec<Arc<Caller>>,
    credentials: Vec<Known>,
    certificates: HashMap<String, Arc<Caller>>,
}

#[derive(Debug)]
struct Known {
    hash: CredentialHash,
    not_after: Option<Timestamp>,
    caller: Arc<Caller>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTable {
    #[serde(default)]
    callers: BTreeMap<String, CallerTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CallerTable {
    scopes: Vec<String>,
    #[serde(default)]
    credentials: Vec<CredentialTable>,
    #[serde(default)]
    certificates: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialTable {
    sha256: String,
    not_after: Option<toml::value::Datetime>,
}

impl Callers {
    /// Reads the registry at `path`.
    ///
    /// # Errors
    ///
    /// [`CallersError`] with the key and the reason; never with what a credential is.
    pub fn read(path: &Path) -> Result<Self, CallersError> {
        let file = path.display().to_string();
        let fault = |reason: String| CallersError { file: file.clone(), key: "-".to_owned(), reason };
        let bytes = std::fs::metadata(path).map_err(|error| fault(error.to_string()))?.len();
        if bytes > BYTES_MAX {
            return Err(fault(format!("has {bytes} bytes; at most {BYTES_MAX} are read")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
        Self::parse(&file, &text)
    }

    /// Reads the text of a registry; `file` is what an error calls it.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn parse(file: &str, text: &str) -> Result<Self, CallersError> {
        let fault = |key: String, reason: String| CallersError { file: file.to_owned(), key, reason };
        let document =
            toml::Deserializer::parse(text).map_err(|error| fault("-".to_owned(), error.message().to_owned()))?;
        let tables: FileTable = serde_path_to_error::deserialize(document).map_err(|error| {
            let key = error.path().to_string();
            fault(key, error.inner().message().to_owned())
        })?;
        let mut callers = Self::default();
        for (name, table) in tables.callers {
            callers.add(&name, table).map_err(|(key, reason)| fault(format!("callers.{name}{key}"), reason))?;
        }
        Ok(callers)
    }

    fn add(&mut self, name: &str, table: CallerTable) -> Result<(), (String, String)> {
        let at = |key: String| move |reason: String| (key, reason);
        let name = CallerId::parse(name).map_err(|fault| (String::new(), fault.to_string()))?;
        let mut grants = Grants::default();
        for (index, scope) in table.scopes.iter().enumerate() {
            grants.add(scope).map_err(at(format!(".scopes[{index}]")))?;
        }
        let widened = grants.widening().collect::<Vec<_>>().join(" ");
        let caller = Arc::new(Caller { name, grants, widened });
        if table.credentials.len() > CREDENTIALS_MAX {
            return Err((".credentials".to_owned(), format!("at most {CREDENTIALS_MAX} are allowed")));
        }
        for (index, credential) in table.credentials.into_iter().enumerate() {
            let key = |field: &str| format!(".credentials[{index}].{field}");
            let hash = CredentialHash::parse(&credential.sha256).map_err(at(key("sha256")))?;
            if let Some(other) = self.credentials.iter().find(|known| known.hash.is(&hash)) {
                return Err((key("sha256"), format!("is the credential of {} already", other.caller.name)));
            }
            let not_after = credential.not_after.map(instant).transpose().map_err(at(key("not_after")))?;
            self.credentials.push(Known { hash, not_after, caller: Arc::clone(&caller) });
        }
        for (index, certificate) in table.certificates.into_iter().enumerate() {
            let key = format!(".certificates[{index}]");
            if certificate.is_empty() {
                return Err((key, "must not be empty".to_owned()));
            }
            if let Some(other) = self.certificates.insert(certificate, Arc::clone(&caller)) {
                return Err((key, format!("is a certificate of {} already", other.name)));
            }
        }
        self.callers.push(caller);
        Ok(())
    }

    /// Names who presents `authorization`, or comes over a connection whose client certificate bears `certificates`.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn authenticate(
        &self,
        authorization: Option<&[u8]>,
        certificates: &[String],
        now: Timestamp,
    ) -> Result<Arc<Caller>, Refusal> {
        let by_certificate = certificates.iter().find_map(|name| self.certificates.get(name));
        let Some(authorization) = authorization else {
            return by_certificate.cloned().ok_or(Refusal::Missing);
        };
        let text = std::str::from_utf8(authorization).map_err(|_| Refusal::Malformed)?;
        let (scheme, secret) = text.split_once(' ').ok_or(Refusal::Malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") || secret.is_empty() {
            return Err(Refusal::Malformed);
        }
        let known = self.find(Credential::new(secret).hash()).ok_or(Refusal::Unknown)?;
        if let Some(not_after) = known.not_after.filter(|not_after| *not_after <= now) {
            return Err(Refusal::Expired { caller: known.caller.name.clone(), not_after });
        }
        match by_certificate {
            Some(other) if other.name != known.caller.name => Err(Refusal::Ambiguous),
            _ => Ok(Arc::clone(&known.caller)),
        }
    }

    /// Compares with every known credential, whichever it is.
    fn find(&self, hash: CredentialHash) -> Option<&Known> {
        self.credentials.iter().fold(None, |found, known| if known.hash.is(&hash) { Some(known) } else { found })
    }

    /// Says how many callers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.callers.len()
    }

    /// Whether nobody may call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.callers.is_empty()
    }

    /// Lists what a person may see of everybody, in order of names.
    #[must_use]
    pub fn summaries(&self) -> Vec<CallerSummary> {
        let of = |caller: &Arc<Caller>| {
            let credentials = self.credentials.iter().filter(|known| known.caller.name == caller.name);
            let mut certificates: Vec<String> = self
                .certificates
                .iter()
                .filter(|(_, other)| other.name == caller.name)
                .map(|(name, _)| name.clone())
                .collect();
            certificates.sort_unstable();
            CallerSummary {
                name: caller.name.clone(),
                scopes: caller.grants.names().collect(),
                credentials: credentials
                    .map(|known| CredentialSummary { id: known.hash.id(), not_after: known.not_after })
                    .collect(),
                certificates,
            }
        };
        self.callers.iter().map(of).collect()
    }
}

/// Reads an offset date-time; a local one would mean another moment on another machine.
fn instant(datetime: toml::value::Datetime) -> Result<Timestamp, String> {
    let text = datetime.to_string();
    let parsed: DateTime<FixedOffset> = DateTime::parse_from_rfc3339(&text)
        .map_err(|_| format!("{text} must have a date, a time and an offset, as in 2027-01-31T00:00:00Z"))?;
    Ok(Timestamp::from_micros(parsed.timestamp_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: &str = "/auric.wallet.v1.WalletService/GetBalances";
    const POST: &str = "/auric.wallet.v1.WalletService/Post";

    fn now() -> Timestamp {
        instant("2026-11-01T00:00:00Z".parse().unwrap()).unwrap()
    }

    fn hash(secret: &str) -> String {
        Credential::new(secret).hash().to_string()
    }

    fn registry() -> Callers {
        let text = format!(
            "[callers.reader]\nscopes = ['wallet.read']\ncertificates = ['reader.internal']\n\
             credentials = [{{ sha256 = '{}' }}, {{ sha256 = '{}', not_after = 2026-10-31T00:00:00Z }}]\n\
             [callers.'discord:gateway']\nscopes = ['wallet.post']\ncredentials = [{{ sha256 = '{}', not_after = 2026-11-02T00:00:00+01:00 }}]\n",
            hash("r1"),
            hash("r0"),
            hash("g1"),
        );
        Callers::parse("callers.toml", &text).unwrap()
    }

    fn who(authorization: Option<&str>, certificates: &[&str]) -> Result<String, Refusal> {
        let certificates: Vec<String> = certificates.iter().map(|&name| name.to_owned()).collect();
        let caller = registry().authenticate(authorization.map(str::as_bytes), &certificates, now())?;
        Ok(caller.name.as_str().to_owned())
    }

    #[test]
    fn a_credential_and_a_certificate_map_to_the_same_name() {
        assert_eq!(who(Some("Bearer r1"), &[]).unwrap(), "reader");
        assert_eq!(who(Some("bearer g1"), &[]).unwrap(), "discord:gateway");
        assert_eq!(who(None, &["other.internal", "reader.internal"]).unwrap(), "reader");
        assert_eq!(who(Some("Bearer r1"), &["reader.internal"]).unwrap(), "reader");
    }

    #[test]
    fn whoever_is_not_known_is_refused() {
        assert_eq!(who(None, &[]), Err(Refusal::Missing));
        assert_eq!(who(None, &["other.internal"]), Err(Refusal::Missing));
        assert_eq!(who(Some("Bearer r2"), &[]), Err(Refusal::Unknown));
        assert_eq!(who(Some("Bearer r2"), &["reader.internal"]), Err(Refusal::Unknown));
        assert_eq!(who(Some("Bearer g1"), &["reader.internal"]), Err(Refusal::Ambiguous));
        assert!(matches!(who(Some("Bearer r0"), &[]), Err(Refusal::Expired { .. })));
        for malformed in ["", "Bearer", "Bearer ", "Basic r1", "r1"] {
            assert_eq!(who(Some(malformed), &[]), Err(Refusal::Malformed), "{malformed:?}");
        }
    }

    #[test]
    fn a_scope_is_all_that_a_caller_has() {
        let callers = registry();
        let reader = callers.authenticate(Some(b"Bearer r1"), &[], now()).unwrap();
        assert!(reader.may_call(READ) && !reader.may_call(POST) && !reader.may_call("/no.such/Method"));
    }

    #[test]
    fn a_fault_is_named_with_its_key() {
        let fault = |text: &str| Callers::parse("callers.toml", text).unwrap_err().to_string();
        let twice = format!(
            "[callers.a]\nscopes = []\ncredentials = [{{ sha256 = '{0}' }}]\n[callers.b]\nscopes = []\ncredentials = [{{ sha256 = '{0}' }}]",
            hash("x")
        );
        assert_eq!(fault(&twice), "callers.toml: callers.b.credentials[0].sha256: is the credential of a already");
        assert!(
            fault("[callers.a]\nscopes = ['wallet.reed']")
                .starts_with("callers.toml: callers.a.scopes[0]: \"wallet.reed\" is no scope")
        );
        assert!(fault("[callers.'a b']\nscopes = []").starts_with("callers.toml: callers.a b: has ' '"));
        assert!(fault("[callers.a]\nscope = []").contains("unknown field `scope`"));
        assert!(
            fault("[callers.a]\nscopes = []\ncredentials = [{ sha256 = 'abcd' }]")
                .contains("credentials[0].sha256: must be 64")
        );
        let local =
            format!("[callers.a]\nscopes = []\ncredentials = [{{ sha256 = '{}', not_after = 2026-10-31 }}]", hash("x"));
        assert!(fault(&local).contains("not_after: 2026-10-31 must have a date, a time and an offset"));
        assert!(fault("[callers").contains("callers.toml: -:"));
    }

    #[test]
    fn a_person_sees_everything_but_secrets() {
        let shown = format!("{:?}", registry().summaries());
        assert!(shown.contains("reader.internal") && shown.contains("wallet.read"));
        assert!(!shown.contains(&hash("r1")), "{shown}");
    }
}
