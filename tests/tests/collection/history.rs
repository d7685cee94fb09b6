//! After a change is acknowledged no reader of any copy is shown an older state (R-C5, R-C2, R-O5).
//!
//! Writers and readers use two copies on one PostgreSQL database, each behind a network of its own, which is slow, stops, and breaks; the catalog is
//! swapped under them, and little is kept in memory, so that it is given up again and again. Every acknowledgement is noted with its moment and the
//! versions that it told of, every read with the moment before it was sent and the versions that it showed. Versions only grow: a read that shows a
//! lower one than was acknowledged before it began has shown the past.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use auric_api::collection::v1 as api;
use auric_api::collection::v1::collection_service_client::CollectionServiceClient;
use auric_ids::EspritId;
use auric_testkit::proxy::{Direction, Fault, Proxy};
use futures::future::join_all;
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::estate::Estate;

type Client = CollectionServiceClient<Channel>;

const PLAYERS: [&str; 3] = ["one", "two", "three"];

/// Writers of each player, at every other copy in turns.
const WRITERS: usize = 2;

/// Readers of each player, half of them at each copy.
const READERS: usize = 4;

/// Esprits of each player; the last are dissolved one after the other.
const ESPRITS: usize = 30;

/// Rows that a copy keeps in memory: two of the three players have room.
const ROWS_MAX: usize = 80;

/// Changes that all writers together make in each phase at least.
const CHANGES_A_PHASE: usize = 20;

/// How long a call may take before it is given up; nobody learns its outcome then.
const CALL_MAX: Duration = Duration::from_secs(2);

/// How long one fault of the network lasts.
const FAULT: Duration = Duration::from_millis(400);

/// What was acknowledged or seen: of which player and thing, at which version.
type Seen = ((&'static str, String), i64);

/// What happened, in no order.
#[derive(Default)]
struct History {
    /// When the acknowledgement had arrived, and what it told.
    acknowledged: Mutex<Vec<(Instant, Vec<Seen>)>>,
    /// When the read was about to be sent, at which copy, and what it showed.
    read: Mutex<Vec<(Instant, usize, Vec<Seen>)>>,
    changes: AtomicUsize,
    failures: AtomicUsize,
    over: AtomicBool,
}

impl History {
    fn acknowledge(&self, seen: Vec<Seen>) {
        self.acknowledged.lock().expect("no holder panicked").push((Instant::now(), seen));
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    fn show(&self, begun: Instant, copy: usize, seen: Vec<Seen>) {
        self.read.lock().expect("no holder panicked").push((begun, copy, seen));
    }

    /// Finds the reads that showed less than was acknowledged before they began.
    fn check(&self) -> (usize, usize) {
        let acknowledged = self.acknowledged.lock().expect("no holder panicked");
        let mut by_thing: HashMap<&(&str, String), Vec<(Instant, i64)>> = HashMap::new();
        for (at, seen) in acknowledged.iter() {
            for (thing, version) in seen {
                by_thing.entry(thing).or_default().push((*at, *version));
            }
        }
        for told in by_thing.values_mut() {
            told.sort();
            let mut highest = 0;
            for (_, version) in told {
                highest = highest.max(*version);
                *version = highest;
            }
        }
        let (reads, mut held) = (self.read.lock().expect("no holder panicked"), 0);
        for (begun, copy, seen) in reads.iter() {
            for (thing, version) in seen {
                let Some(told) = by_thing.get(thing) else { continue };
                let before = told.partition_point(|(at, _)| at <= begun);
                let Some((at, newest)) = before.checked_sub(1).map(|last| told[last]) else { continue };
                let ago = begun.duration_since(at);
                assert!(*version >= newest, "{thing:?} at {version} by copy {copy}, {newest} was told {ago:?} before");
                held += 1;
            }
        }
        (reads.len(), held)
    }
}

fn within<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_MAX);
    request
}

fn all_of(player: &'static str, changed: Option<api::Changed>) -> Vec<Seen> {
    let changed = changed.expect("a change");
    let versions = changed.versions.into_iter().map(|changed| ((player, changed.id), changed.version));
    versions.chain([((player, "collection".to_owned()), changed.collection_version)]).collect()
}

/// Makes one change; what it told of.
async fn change(
    client: &mut Client,
    player: &'static str,
    number: usize,
    ids: &[EspritId],
) -> Result<Vec<Seen>, Status> {
    let (idempotency_key, player_id) = (format!("{player}:{number}"), player.to_owned());
    // The first few are raised, locked, fielded and armed; the last are dissolved.
    let esprit_id = ids[number / 5 % 10].to_string();
    let (flips, expected_version) = ((number / 50).is_multiple_of(2), 0);
    let changed = match number % 5 {
        0 => {
            let request =
                api::SetLockRequest { idempotency_key, player_id, esprit_id, locked: flips, expected_version };
            client.set_lock(within(request)).await?.into_inner().changed
        }
        1 => {
            let slot = i32::try_from(number / 5 % 3).expect("it fits") + 1;
            let esprit_id = if flips { esprit_id } else { String::new() };
            let request = api::SetTeamSlotRequest { idempotency_key, player_id, slot, esprit_id, expected_version };
            client.set_team_slot(within(request)).await?.into_inner().changed
        }
        2 => {
            let equipment_id = format!("piece-{}", number / 5 % 2);
            let request = api::EquipRequest { idempotency_key, player_id, esprit_id, equipment_id, expected_version };
            client.equip(within(request)).await?.into_inner().changed
        }
        3 => {
            let request = api::UpgradeEspritRequest { idempotency_key, player_id, esprit_id, expected_version };
            client.upgrade_esprit(within(request)).await?.into_inner().upgrade.and_then(|upgrade| upgrade.changed)
        }
        _ => {
            let esprit_ids = vec![ids[10 + number / 5 % (ids.len() - 10)].to_string()];
            let preview = api::PreviewDissolveRequest { player_id: player_id.clone(), esprit_ids: esprit_ids.clone() };
            let preview_token = client.preview_dissolve(within(preview)).await?.into_inner().preview_token;
            let request = api::DissolveEspritsRequest { idempotency_key, player_id, preview_token };
            let done = client.dissolve_esprits(within(request)).await?.into_inner().dissolution;
            let mut seen = all_of(player, done.and_then(|done| done.changed));
            seen.extend(esprit_ids.into_iter().map(|esprit| ((player, format!("gone {esprit}")), 1)));
            return Ok(seen);
        }
    };
    Ok(all_of(player, changed))
}

/// Reads in one of the ways that there are; what it showed.
async fn read(client: &mut Client, player: &'static str, number: usize, ids: &[EspritId]) -> Result<Vec<Seen>, Status> {
    let player_id = player.to_owned();
    let worn = |piece: api::Equipment| ((player, piece.equipment_id), piece.version);
    Ok(match number % 4 {
        0 => {
            let profile = client.get_profile(within(api::GetProfileRequest { player_id })).await?.into_inner();
            vec![((player, "collection".to_owned()), profile.collection_version)]
        }
        1 => {
            let request = api::ListEspritsRequest { player_id, page_size: 500, ..api::ListEspritsRequest::default() };
            let listed = client.list_esprits(within(request)).await?.into_inner().esprits;
            let is_there = |id: &&EspritId| listed.iter().any(|esprit| esprit.esprit_id == id.as_str());
            let there: Vec<String> = ids.iter().filter(is_there).map(ToString::to_string).collect();
            let shown = listed.into_iter().map(|esprit| ((player, esprit.esprit_id), esprit.version));
            shown.chain(there.into_iter().map(|id| ((player, format!("gone {id}")), 0))).collect()
        }
        2 => {
            let team = client.get_team(within(api::GetTeamRequest { player_id })).await?.into_inner().team;
            let team = team.expect("a team");
            let members = team.members.into_iter().map(|esprit| ((player, esprit.esprit_id), esprit.version));
            members.chain([((player, "team".to_owned()), team.version)]).collect()
        }
        _ => {
            let request = api::ListEquipmentRequest { player_id, ..api::ListEquipmentRequest::default() };
            client.list_equipment(within(request)).await?.into_inner().equipment.into_iter().map(worn).collect()
        }
    })
}

/// Writes until all is over, at one copy after the other.
async fn write_on(history: &History, clients: &[Client], player: &'static str, writer: usize, ids: &[EspritId]) {
    let mut number = writer;
    while !history.over.load(Ordering::Relaxed) {
        let mut client = clients[number / WRITERS % clients.len()].clone();
        match change(&mut client, player, number, ids).await {
            Ok(seen) => history.acknowledge(seen),
            // Refused, busy, or nobody knows: nothing was acknowledged.
            Err(_) => drop(history.failures.fetch_add(1, Ordering::Relaxed)),
        }
        number += WRITERS;
    }
}

async fn read_on(history: &History, clients: &[Client], player: &'static str, reader: usize, ids: &[EspritId]) {
    let copy = reader % clients.len();
    let (mut client, mut number) = (clients[copy].clone(), reader);
    while !history.over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        match read(&mut client, player, number, ids).await {
            Ok(seen) => history.show(begun, copy, seen),
            Err(_) => drop(history.failures.fetch_add(1, Ordering::Relaxed)),
        }
        number += 1;
    }
}

/// Waits until so many changes more were acknowledged.
async fn go_on(history: &History) {
    let (wanted, give_up) =
        (history.changes.load(Ordering::Relaxed) + CHANGES_A_PHASE, Instant::now() + Duration::from_mins(1));
    while history.changes.load(Ordering::Relaxed) < wanted {
        assert!(Instant::now() < give_up, "nothing is acknowledged any more");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Breaks the network between each copy and the database in every way, with calm between.
async fn disturb(history: &History, proxies: &[Proxy]) {
    for proxy in proxies {
        for fault in [
            Fault::Latency(Duration::from_millis(20)),
            Fault::Stops(Direction::ToServer),
            Fault::Stops(Direction::ToClient),
            Fault::Gone,
        ] {
            proxy.set(fault);
            tokio::time::sleep(FAULT).await;
            proxy.set(Fault::None);
            go_on(history).await;
        }
        proxy.reset();
        go_on(history).await;
    }
}

/// Swaps the catalog of one copy after the other, so that for a while they differ; each shows the new one from then on.
async fn swap(history: &History, estate: &Estate, clients: &[Client], game: &Path) {
    for generation in 1..=4 {
        let path = game.join("collection.toml");
        let text = std::fs::read_to_string(&path).expect("a catalog");
        let (before, after) =
            (format!("esprits_max = {}", 5_000 + generation - 1), format!("esprits_max = {}", 5_000 + generation));
        let text = text.replace("esprits_max = 5_000\n", "esprits_max = 5000\n");
        assert!(text.contains(&before), "{text}");
        std::fs::write(&path, text.replace(&before, &after)).expect("written");
        for (copy, client) in estate.copies.iter().zip(clients) {
            while copy.reload(game).await.is_err() {}
            let seen = loop {
                let request = within(api::GetProfileRequest { player_id: PLAYERS[0].to_owned() });
                if let Ok(profile) = client.clone().get_profile(request).await {
                    break profile.into_inner().esprits_max;
                }
            };
            assert_eq!(seen, 5_000 + generation, "the catalog that was put into force is not what is shown");
            go_on(history).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_read_that_begins_after_an_acknowledgement_shows_what_was_before() {
    let (estate, proxies) = Estate::postgres_behind(ROWS_MAX, 2).await;
    let game = tempfile::tempdir().expect("a folder");
    for file in std::fs::read_dir(auric_tests::tree::root().join("game")).expect("a catalog") {
        let file = file.expect("a file");
        std::fs::copy(file.path(), game.path().join(file.file_name())).expect("a copy");
    }
    let clients = [estate.client(0).await, estate.client(1).await];
    let mut owned = Vec::new();
    for player in PLAYERS {
        estate.grant(player, "lumees", 10_000_000).await;
        let ids = estate.endow(player, u32::try_from(ESPRITS).expect("it fits")).await;
        let pieces = [0, 1].map(|piece| api::GrantedEquipment {
            equipment_id: format!("piece-{piece}"),
            kind_id: "iron_fang".to_owned(),
        });
        let gift = api::GrantEquipmentRequest {
            idempotency_key: format!("{player}:pieces"),
            player_id: player.to_owned(),
            pieces: pieces.into(),
        };
        clients[0].clone().grant_equipment(gift).await.expect("a gift");
        owned.push((player, ids));
    }
    let history = History::default();
    let writing = owned.iter().flat_map(|(player, ids)| {
        (0..WRITERS).map(|writer| write_on(&history, &clients, player, writer, ids)).collect::<Vec<_>>()
    });
    let reading = owned.iter().flat_map(|(player, ids)| {
        (0..READERS).map(|reader| read_on(&history, &clients, player, reader, ids)).collect::<Vec<_>>()
    });
    let directing = async {
        go_on(&history).await;
        swap(&history, &estate, &clients, game.path()).await;
        disturb(&history, &proxies).await;
        history.over.store(true, Ordering::Relaxed);
    };
    tokio::join!(directing, join_all(writing), join_all(reading));
    let (reads, held) = history.check();
    let (changes, failures) = (history.changes.load(Ordering::Relaxed), history.failures.load(Ordering::Relaxed));
    println!(
        "{changes} changes, {reads} reads that began after {held} acknowledgements of what they show; {failures} calls failed"
    );
    assert!(held > 10_000, "only {held} acknowledgements were held against {reads} reads");
    estate.settled().await;
    estate.check_ends().await;
    estate.stop().await;
}
