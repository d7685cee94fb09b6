//! Bad input, generated from the descriptor set: every field of every request, every case of its type. What must be refused is refused with the
//! field's path and leaves nothing; what need not be is at least no fault of the server.

mod cases;
mod paid;
mod requests;
mod rules;

use std::collections::BTreeSet;

use auric_api::wallet::v1 as api;
use auric_status::Problem;
use futures::{StreamExt as _, stream};
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, ReflectMessage as _};
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use tonic::Code;

use super::harness::{Caller, Cluster, on_every_store};
use super::raw;
use cases::{Case, Fault, Place};
pub use requests::prepare;

/// The service whose requests are generated.
pub const SERVICE: &str = "auric.wallet.v1.WalletService";

/// Requests under way at once.
const AT_ONCE: usize = 16;

/// What a well-formed request may be answered with.
const RULED: [Code; 6] =
    [Code::Ok, Code::NotFound, Code::AlreadyExists, Code::FailedPrecondition, Code::Aborted, Code::PermissionDenied];

on_every_store!(bad_input_is_refused_by_its_field_and_leaves_nothing);

async fn bad_input_is_refused_by_its_field_and_leaves_nothing(cluster: &Cluster) {
    let pool = DescriptorPool::decode(auric_api::DESCRIPTORS).expect("the descriptors are");
    let caller = Caller::new(cluster);
    requests::prepare(caller).await;
    let before = state(caller).await;

    let mut places = BTreeSet::new();
    let (mut refused, mut others) = (Vec::new(), Vec::new());
    for method in pool.get_service_by_name(SERVICE).expect("the wallet").methods() {
        let valid = requests::valid(&method);
        for place in cases::places(&valid) {
            let rule = rules::of(&place.name).unwrap_or_else(|| panic!("{} has no rule: add one", place.name));
            places.insert(place.name.clone());
            for case in cases::of(&place, rule) {
                let is_refused = rule.refuses.contains(&case.fault);
                let ask = (method.clone(), place.clone(), case);
                if is_refused { refused.push(ask) } else { others.push(ask) }
            }
            let possible: Vec<Fault> = cases::of(&place, rule).iter().map(|case| case.fault).collect();
            let unknown = rule.refuses.iter().find(|fault| !possible.contains(fault));
            assert!(unknown.is_none(), "{} cannot be {unknown:?}", place.name);
        }
    }
    rules::assert_all_used(&places);

    let sent = refused.iter().enumerate().map(|(number, ask)| refuse(caller, number, ask));
    stream::iter(sent).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    assert_eq!(state(caller).await, before, "a refused request has written something");
    let sent = others.iter().enumerate().map(|(number, ask)| answer(caller, number, ask));
    stream::iter(sent).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    println!(
        "{} fields in {} places: {} cases refused, {} others answered",
        rules::RULES.len(),
        places.len(),
        refused.len(),
        others.len()
    );
    requests::check_special(caller).await;
    caller.verify_audit().await;
    cluster.stop_without_errors();
}

/// A method, and what is wrong with its request.
type Ask = (MethodDescriptor, Place, Case);

/// Sends what must be refused: the field is named, and nothing is kept.
async fn refuse(caller: Caller<'_>, number: usize, ask: &Ask) {
    let key = format!("bad-{number}");
    let answer = send(caller, ask, &key).await;
    let (method, place, case) = ask;
    assert_refused(&answer, &format!("{}: {} {:?}", method.name(), place.path, case.fault), &place.path);
    assert_not_seen(caller, &key).await;
}

/// Sends what need not be refused: whatever the answer is, it is no fault of the field or the server.
async fn answer(caller: Caller<'_>, number: usize, ask: &Ask) {
    let answer = send(caller, ask, &format!("odd-{number}")).await;
    let code = answer.as_ref().err().map_or(Code::Ok, |problem| problem.code);
    let (method, place, case) = ask;
    assert!(RULED.contains(&code), "{}: {} {:?}: {answer:?}", method.name(), place.path, case.fault);
}

/// The answer to a request that is valid but for one field.
async fn send(caller: Caller<'_>, (method, place, case): &Ask, key: &str) -> Result<(), Problem> {
    let mut request = requests::under_key(method, key);
    assert!(cases::put(&mut request, place, case), "the valid {} has no {}", method.name(), place.path);
    assert_eq!(request.descriptor(), method.input());
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let answers =
        raw::call(caller, &path, raw::bytes(&request)).await.map_err(|status| Problem::from_status(&status))?;
    requests::inner(method, answers)
}

/// An answer that names the field, and says nothing else.
fn assert_refused(answer: &Result<(), Problem>, what: &str, path: &str) {
    let Err(problem) = answer else { panic!("{what} is accepted") };
    assert_eq!(
        (problem.code, problem.reason.as_str()),
        (Code::InvalidArgument, "INVALID_ARGUMENT"),
        "{what}: {problem:?}"
    );
    let paths: Vec<&str> = problem.bad_fields.iter().map(|field| field.path.as_str()).collect();
    let is_in =
        |named: &&str| path == *named || (named.starts_with(path) && named[path.len()..].starts_with(['[', '.']));
    assert!(paths.iter().any(is_in), "{what}: {path} is not named but {paths:?}");
    assert!(problem.message.chars().all(|character| !character.is_control()), "{what}: {:?}", problem.message);
}

async fn assert_not_seen(caller: Caller<'_>, key: &str) {
    let request = api::GetMutationRequest { idempotency_key: key.to_owned(), caller: String::new() };
    let status = caller.client().get_mutation(request).await.expect_err("nothing is kept of it");
    assert_eq!(Problem::from_status(&status).reason, "MUTATION_NOT_SEEN");
}

/// A valid request with a few of all the cases in it at once.
pub fn several_faults(rng: &mut StdRng, method: &MethodDescriptor, key: &str) -> DynamicMessage {
    let mut request = requests::under_key(method, key);
    let places = cases::places(&request);
    for _ in 0..rng.random_range(1..5) {
        let Some(place) = places.choose(rng) else { break };
        let cases = cases::of(place, rules::of(&place.name).expect("every field has a rule"));
        cases::put(&mut request, place, cases.choose(rng).expect("every type has cases"));
    }
    request
}

/// All that a mutation leaves behind, summed up. A player who was only named has no entry and no balance.
async fn state(caller: Caller<'_>) -> ([i64; 2], Vec<api::Supply>, Vec<api::Hold>) {
    let supplies = caller.client().get_supply(api::GetSupplyRequest::default()).await.expect("the supply is read");
    let holds = caller.client().list_holds(api::ListHoldsRequest::default()).await.expect("the holds are read");
    let audit = caller.verify_audit().await;
    ([audit.entries_verified, audit.mutations_verified], supplies.into_inner().supplies, holds.into_inner().holds)
}
