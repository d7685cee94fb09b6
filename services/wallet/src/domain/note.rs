//! What a caller says about a mutation, for the audit.

use auric_keys::{Canon, Field};
use std::collections::BTreeMap;

use auric_ids::Reason;
use serde::{Deserialize, Serialize};

/// What a caller says about a mutation besides its reason, by name.
pub type Context = BTreeMap<String, String>;

/// Why something is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// In a word.
    pub reason: Reason,
    /// In as many pairs as the caller likes.
    #[serde(default, skip_serializing_if = "Context::is_empty")]
    pub context: Context,
}

impl Note {
    /// The request's fields as bytes.
    pub(super) fn canonical_fields(&self) -> Vec<Field> {
        let mut fields = vec![("reason", Canon::of(self.reason.as_str()))];
        if !self.context.is_empty() {
            let mut context = Canon::default();
            for (name, value) in &self.context {
                context.text(name).text(value);
            }
            fields.push(("context", context));
        }
        fields
    }
}
