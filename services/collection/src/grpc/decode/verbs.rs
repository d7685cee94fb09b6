//! The verbs of a participant.

use std::collections::BTreeSet;

use auric_api::participant::v1 as api;
use auric_catalog::CatalogHash;
use auric_edge::Decoder;
use auric_ids::EspritId;
use auric_server::metadata;
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::domain::{Action, Ask, Cancel, Commit, GRANT_MAX, Grant, Granted, Intent, Outcome, Prepare};
use crate::handlers::log_malformed;

/// A whole request: who asks, its trace, and what `action` decodes. One that is malformed leaves its line in the log here, since it goes no
/// further.
pub fn ask(
    method: &'static str,
    metadata: &MetadataMap,
    action: impl FnOnce() -> Result<Action, Status>,
) -> Result<Ask, Status> {
    let trace_id = metadata::trace_id(metadata);
    let caller = metadata::caller(metadata).inspect_err(|_| log_malformed(method, None, &trace_id))?;
    let action = action().inspect_err(|_| log_malformed(method, Some(&caller), &trace_id))?;
    Ok(Ask { caller, trace_id, action })
}

pub fn prepare(request: &api::PrepareRequest) -> Result<Prepare, Status> {
    let mut decoder = Decoder::default();
    let operation = decoder.id("operation_id", &request.operation_id);
    let player = decoder.id("player_id", &request.player_id);
    let catalog = catalog_hash(&mut decoder, &request.catalog_hash);
    let intent = match &request.intent {
        Some(api::prepare_request::Intent::Grant(grant)) => {
            let esprits = u32::try_from(grant.esprits).ok().filter(|esprits| (1..=GRANT_MAX).contains(esprits));
            if esprits.is_none() {
                decoder.fault("grant.esprits", format!("must be 1 to {GRANT_MAX}, is {}", grant.esprits));
            }
            esprits.map(|esprits| Intent::Grant { esprits })
        }
        None => {
            decoder.fault("intent", "must be set: what is to be promised");
            None
        }
    };
    let prepare = || Some(Prepare { operation: operation?, player: player?, catalog: catalog?, intent: intent? });
    decoder.finish(prepare())
}

pub fn commit(request: &api::CommitRequest) -> Result<Commit, Status> {
    let mut decoder = Decoder::default();
    let operation = decoder.id("operation_id", &request.operation_id);
    let player = decoder.id("player_id", &request.player_id);
    let outcome = match &request.outcome {
        Some(api::commit_request::Outcome::Grant(grant)) => self::grant(&mut decoder, grant).map(Outcome::Grant),
        None => {
            decoder.fault("outcome", "must be set: what is to be done");
            None
        }
    };
    let commit = || Some(Commit { operation: operation?, player: player?, outcome: outcome? });
    decoder.finish(commit())
}

pub fn cancel(request: &api::CancelRequest) -> Result<Cancel, Status> {
    let mut decoder = Decoder::default();
    let operation = decoder.id("operation_id", &request.operation_id);
    let player = decoder.id("player_id", &request.player_id);
    let cancel = || Some(Cancel { operation: operation?, player: player? });
    decoder.finish(cancel())
}

fn grant(decoder: &mut Decoder, grant: &api::Grant) -> Option<Grant> {
    let maximum = usize::try_from(GRANT_MAX).unwrap_or(usize::MAX);
    let count = grant.esprits.len();
    if !(1..=maximum).contains(&count) {
        decoder.fault("grant.esprits", format!("must have 1 to {GRANT_MAX}, has {count}"));
        return None;
    }
    let mut seen: BTreeSet<EspritId> = BTreeSet::new();
    let mut esprits = Vec::with_capacity(count);
    for (index, granted) in grant.esprits.iter().enumerate() {
        let path = |field: &str| format!("grant.esprits[{index}].{field}");
        let esprit: Option<EspritId> = decoder.id(&path("esprit_id"), &granted.esprit_id);
        let species = decoder.id(&path("species_id"), &granted.species_id);
        let (Some(esprit), Some(species)) = (esprit, species) else { continue };
        if !seen.insert(esprit.clone()) {
            decoder.fault(path("esprit_id"), "is named twice");
        }
        esprits.push(Granted { esprit, species });
    }
    Some(Grant { esprits })
}

fn catalog_hash(decoder: &mut Decoder, text: &str) -> Option<CatalogHash> {
    let mut bytes = [0; 32];
    if hex::decode_to_slice(text, &mut bytes).is_err() {
        decoder.fault("catalog_hash", "must be 64 hexadecimal digits");
        return None;
    }
    Some(CatalogHash::from_bytes(bytes))
}
