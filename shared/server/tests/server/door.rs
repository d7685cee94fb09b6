//! Credentials and certificates: who they let in, and how they change.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use auric_auth::Credential;
use auric_server::listen;
use auric_status::Problem;
use tokio::task::JoinSet;
use tonic::Code;

use crate::house::{Authority, Files, House, caller, who};

fn credentials(held: &[&Credential]) -> String {
    let rows: Vec<String> = held.iter().map(|credential| format!("{{ sha256 = '{}' }}", credential.hash())).collect();
    format!("credentials = [{}]", rows.join(", "))
}

fn new() -> Credential {
    Credential::generate(&mut rand::rng())
}

#[tokio::test]
async fn a_credential_is_its_caller_and_nobody_else() {
    let (authority, ours, readers) = (Authority::new(), new(), new());
    let callers = caller("bench", "bench.echo", &credentials(&[&ours]))
        + &caller("reader", "wallet.read", &credentials(&[&readers]));
    let files = Files::new(&callers, &authority);
    let house = House::new(files.door()).await;
    let channel = house.tls(&authority, None).connect().await.unwrap();

    assert_eq!(who(&channel, Some(&ours)).await.unwrap(), "bench");
    let missing = Problem::from_status(&who(&channel, None).await.unwrap_err());
    assert_eq!((missing.code, missing.reason.as_str()), (Code::Unauthenticated, "UNAUTHENTICATED"));
    let unknown = who(&channel, Some(&new())).await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unauthenticated);
    let denied = Problem::from_status(&who(&channel, Some(&readers)).await.unwrap_err());
    assert_eq!(denied.code, Code::PermissionDenied);
    assert_eq!((denied.metadata["caller"].as_str(), denied.metadata["scope"].as_str()), ("reader", "bench.echo"));
    let shown = format!("{missing:?} {unknown:?} {denied:?}");
    assert!(![&ours, &readers].iter().any(|credential| shown.contains(credential.reveal())), "{shown}");
}

#[tokio::test]
async fn a_client_certificate_is_its_caller_and_one_of_another_authority_is_nobody() {
    let (authority, others) = (Authority::new(), Authority::new());
    let callers = caller("bench", "bench.echo", "certificates = ['bench.internal']")
        + &caller("keeper", "bench.*", "certificates = ['keeper.internal']");
    let files = Files::new(&callers, &authority);
    let house = House::new(files.door()).await;

    for (name, caller) in [("bench.internal", "bench"), ("keeper.internal", "keeper")] {
        let client = authority.client(name);
        let channel = house.tls(&authority, Some(&client)).connect().await.unwrap();
        assert_eq!(who(&channel, None).await.unwrap(), caller);
    }
    let unknown = authority.client("nobody.internal");
    let channel = house.tls(&authority, Some(&unknown)).connect().await.unwrap();
    assert_eq!(who(&channel, None).await.unwrap_err().code(), Code::Unauthenticated);
    let forged = others.client("bench.internal");
    let channel = house.tls(&authority, Some(&forged)).connect_lazy();
    assert!(who(&channel, None).await.is_err());
}

#[tokio::test]
async fn where_nobody_is_asked_a_caller_says_who_it_is_and_widens_nothing() {
    let house = House::new(std::sync::Arc::new(auric_auth::Door::open())).await;
    let channel = house.plain().connect().await.unwrap();
    assert_eq!(who(&channel, None).await.unwrap(), "somebody-else");
}

#[tokio::test]
async fn what_widens_a_caller_is_said_by_the_registry_alone() {
    let (authority, ours) = (Authority::new(), new());
    let text = format!("[callers.keeper]\nscopes = ['bench.echo', 'admin.holds']\n{}\n", credentials(&[&ours]));
    let files = Files::new(&text, &authority);
    let house = House::new(files.door()).await;
    let channel = house.tls(&authority, None).connect().await.unwrap();
    assert_eq!(who(&channel, Some(&ours)).await.unwrap(), "keeper widened");
}

#[tokio::test]
async fn plain_text_and_an_open_door_stay_on_loopback() {
    let (authority, ours) = (Authority::new(), new());
    let files = Files::new(&caller("bench", "bench.echo", &credentials(&[&ours])), &authority);
    let everywhere = "0.0.0.0:0".parse().unwrap();
    assert!(listen(everywhere, &auric_auth::Door::open()).await.is_err());
    assert!(listen(everywhere, &files.door()).await.is_ok());

    let house = House::new(files.door()).await;
    let channel = house.plain().connect_lazy();
    assert!(who(&channel, Some(&ours)).await.is_err(), "no answer without TLS");
}

#[tokio::test]
async fn credentials_and_certificates_are_rotated_under_load_without_a_failed_call() {
    const ROTATIONS: usize = 5;
    const CALLERS: usize = 4;
    let (authority, first) = (Authority::new(), new());
    let files = Files::new(&caller("bench", "bench.echo", &credentials(&[&first])), &authority);
    let house = House::new(files.door()).await;
    let is_over = std::sync::Arc::new(AtomicBool::new(false));
    let answered = std::sync::Arc::new(AtomicUsize::new(0));
    let (give, given) = tokio::sync::watch::channel(first.clone());
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (endpoint, given, is_over, answered) =
            (house.tls(&authority, None), given.clone(), is_over.clone(), answered.clone());
        callers.spawn(async move {
            let kept = endpoint.connect().await.unwrap();
            while !is_over.load(Ordering::Relaxed) {
                let credential = given.borrow().clone();
                who(&kept, Some(&credential)).await.unwrap();
                // Each new connection shakes hands under what is in force now.
                let fresh = endpoint.connect().await.unwrap();
                who(&fresh, Some(&credential)).await.unwrap();
                answered.fetch_add(2, Ordering::Relaxed);
            }
        });
    }
    let channel = house.tls(&authority, None).connect().await.unwrap();
    let mut last = first;
    for _ in 0..ROTATIONS {
        let next = new();
        files.write("callers.toml", &caller("bench", "bench.echo", &credentials(&[&last, &next])));
        files.write_server(&authority.server());
        while who(&channel, Some(&next)).await.is_err() {}
        give.send(next.clone()).unwrap();
        // A caller that had read the old credential has used it by the time that it was answered twice more.
        let seen = answered.load(Ordering::Relaxed);
        while answered.load(Ordering::Relaxed) < seen + 4 * CALLERS {
            tokio::task::yield_now().await;
        }
        files.write("callers.toml", &caller("bench", "bench.echo", &credentials(&[&next])));
        while who(&channel, Some(&last)).await.is_ok() {}
        last = next;
    }
    is_over.store(true, Ordering::Relaxed);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn a_faulty_registry_is_refused_and_the_old_one_stays() {
    let (authority, ours, next) = (Authority::new(), new(), new());
    let files = Files::new(&caller("bench", "bench.echo", &credentials(&[&ours])), &authority);
    let door = files.door();
    let house = House::new(door.clone()).await;
    let channel = house.tls(&authority, None).connect().await.unwrap();

    files.write("callers.toml", &caller("bench", "bench.ecko", &credentials(&[&next])));
    let fault = door.reload().unwrap_err().to_string();
    assert!(fault.contains("callers.bench.scopes[0]") && fault.contains("bench.ecko"), "{fault}");
    assert_eq!(who(&channel, Some(&ours)).await.unwrap(), "bench");
    assert!(who(&channel, Some(&next)).await.is_err());
}
