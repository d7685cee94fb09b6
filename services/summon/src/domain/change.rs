//! Keyed changes besides summons: of the seeds that a player's draws come from, and of the path at a banner.
//!
//! Seeds change between operations only: whoever began a summon saw what it is drawn from, and it is drawn from just that. A server seed is shown
//! when it is replaced, never before; with another client seed it goes on, and so does its nonce, so that no number is ever drawn twice.

use auric_ids::{BannerId, OperationId, PityGroupId, PlayerId, SpeciesId};
use auric_keys::{Canon, Field, Fingerprint, MutationKey};
use auric_time::Timestamp;
use serde::{Deserialize, Serialize};

use super::book::{BatchKeys, Book, EndedSeeds, Player, Seeds};
use super::operation::{BadField, Unstored};
use super::{Banners, ClientSeed, ServerSeed, pity};

/// A keyed request for a change.
#[derive(Clone, Debug)]
pub struct Keyed {
    /// Who asks, under which key.
    pub key: MutationKey,
    /// Whose.
    pub player: PlayerId,
    /// What is to change.
    pub change: Change,
    /// The server seed that comes next if one is needed, drawn at random.
    pub fresh_seed: [u8; 32],
}

/// What is to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The player's own part of the seed.
    ClientSeed(ClientSeed),
    /// The server's part: the old one is shown.
    Rotate,
    /// What the player's path leads to.
    Path {
        /// At which banner.
        banner: BannerId,
        /// The group of its pity.
        group: PityGroupId,
        /// Where; nothing for no path.
        target: Option<SpeciesId>,
    },
}

/// A keyed request that was answered: kept for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub key: MutationKey,
    /// Its RPC.
    pub method: String,
    /// What it asked for, shortened.
    pub fingerprint: Fingerprint,
    /// Whose it was.
    pub player: PlayerId,
    /// What it was answered.
    pub answer: Answer,
    /// When.
    pub time: Timestamp,
}

/// What a change was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The seeds.
    Seeds {
        /// In use from now on.
        now: ShownSeeds,
        /// Out of use; nothing when nothing changed.
        ended: Option<ShownEnd>,
    },
    /// The path.
    Path {
        /// What it leads to.
        target: Option<SpeciesId>,
        /// Hits since it began that were something else.
        points: u16,
    },
}

/// Seeds in use, as their player may see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownSeeds {
    /// Which pair of the player's, from 0.
    pub epoch: u64,
    /// The SHA-256 of the server seed.
    pub commitment: String,
    /// The player's part.
    pub client: ClientSeed,
    /// The number of the next summon.
    pub nonce: u64,
}

/// Seeds out of use, as their player may see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownEnd {
    /// Which pair of the player's, from 0.
    pub epoch: u64,
    /// The SHA-256 of the server seed.
    pub commitment: String,
    /// The server seed; nothing as long as it is in use.
    pub server: Option<String>,
    /// The player's part.
    pub client: ClientSeed,
    /// The first summon from it.
    pub first_nonce: u64,
    /// The one behind the last.
    pub next_nonce: u64,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is made.
    Done {
        /// What it was answered.
        answer: Answer,
        /// Whether it was made by an earlier request.
        replayed: bool,
    },
    /// The key was used for another request.
    KeyReused {
        /// What differs; nothing when only the method does.
        fields: Vec<String>,
        /// The method of the first.
        first_method: String,
    },
    /// A summon of the player is not decided yet. Nothing is stored.
    Undecided(OperationId),
    /// It does not fit the catalog. Nothing is stored.
    Unstored(Unstored),
}

impl Keyed {
    /// Shortens what is asked, without the key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut fields: Vec<Field> = vec![("player_id", Canon::of(self.player.as_str()))];
        match &self.change {
            Change::ClientSeed(seed) => fields.push(("client_seed", Canon::of(seed.as_str()))),
            Change::Rotate => {}
            Change::Path { banner, target, .. } => {
                fields.push(("banner_id", Canon::of(banner.as_str())));
                fields.extend(target.as_ref().map(|target| ("species_id", Canon::of(target.as_str()))));
            }
        }
        Fingerprint::of(self.change.method(), fields)
    }

    /// Adds what the change may touch to what a batch loads.
    pub(super) fn touch(&self, keys: &mut BatchKeys) {
        keys.players.insert(self.player.clone());
        keys.mutations.insert(self.key.clone());
        match &self.change {
            Change::ClientSeed(_) | Change::Rotate => {
                keys.log.undecided.insert(self.player.clone());
            }
            Change::Path { group, .. } => {
                keys.groups.insert((self.player.clone(), group.clone()));
            }
        }
    }
}

impl Change {
    /// The name of its RPC.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::ClientSeed(_) => "SetClientSeed",
            Self::Rotate => "RotateSeed",
            Self::Path { .. } => "ChoosePath",
        }
    }
}

impl Player {
    /// The seeds as their player may see them; nothing before there are any.
    #[must_use]
    pub fn shown(&self) -> Option<ShownSeeds> {
        self.seeds.as_ref().map(|seeds| ShownSeeds {
            epoch: self.epoch,
            commitment: seeds.server.commitment().to_string(),
            client: seeds.client.clone(),
            nonce: self.nonce,
        })
    }

    /// Whether a server seed is out of use, and may be shown.
    #[must_use]
    pub fn has_replaced(&self, seed: &ServerSeed) -> bool {
        self.seeds.as_ref().is_none_or(|seeds| seeds.server.reveal() != seed.reveal())
    }

    /// Seeds out of use as their player may see them.
    #[must_use]
    pub fn shown_end(&self, ended: &EndedSeeds) -> ShownEnd {
        let server = &ended.seeds.server;
        ShownEnd {
            epoch: ended.epoch,
            commitment: server.commitment().to_string(),
            server: self.has_replaced(server).then(|| hex::encode(server.reveal())),
            client: ended.seeds.client.clone(),
            first_nonce: ended.first_nonce,
            next_nonce: ended.next_nonce,
            ended_at: ended.ended_at,
        }
    }
}

/// Gives a player seeds who has none: shown, and committed to, before anything is drawn from them.
pub(super) fn seed(book: &mut Book, player: &PlayerId, fresh_seed: &[u8; 32]) {
    if book.player(player).is_some_and(|player| player.seeds.is_none()) {
        let client = ClientSeed::parse(player.as_str());
        book.change_player(player, |player| {
            player.seeds = client.ok().map(|client| Seeds { server: ServerSeed::new(*fresh_seed), client });
        });
    }
}

/// Makes a change on `book`, and keeps its answer there.
pub(super) fn change(book: &mut Book, banners: &Banners, keyed: &Keyed) -> Told {
    let fingerprint = keyed.fingerprint();
    if let Some(first) = book.record(&keyed.key) {
        if first.fingerprint.digest == fingerprint.digest {
            return Told::Done { answer: first.answer.clone(), replayed: true };
        }
        let fields = fingerprint.differing_fields(&first.fingerprint);
        return Told::KeyReused { fields, first_method: first.method.clone() };
    }
    let now = book.time_for(&keyed.player);
    let answer = match &keyed.change {
        Change::ClientSeed(_) | Change::Rotate => reseed(book, keyed, now),
        Change::Path { banner, group, target } => path(book, banners, &keyed.player, (banner, group), target.as_ref())
            .map_err(|unstored| Box::new(Told::Unstored(unstored))),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(told) => return *told,
    };
    book.change_player(&keyed.player, |player| player.last_time = now);
    book.keep(Record {
        key: keyed.key.clone(),
        method: keyed.change.method().to_owned(),
        fingerprint,
        player: keyed.player.clone(),
        answer: answer.clone(),
        time: now,
    });
    Told::Done { answer, replayed: false }
}

fn reseed(book: &mut Book, keyed: &Keyed, now: Timestamp) -> Result<Answer, Box<Told>> {
    let id = &keyed.player;
    if let Some(operation) = book.log.undecided(id) {
        return Err(Box::new(Told::Undecided(operation.id.clone())));
    }
    let none = || {
        let fault = BadField { path: "player_id", fault: "has no seed".to_owned() };
        Box::new(Told::Unstored(Unstored::Invalid(fault)))
    };
    // Of a player without seeds the fresh one is the first, and rotating shows that nothing was drawn from it.
    let first = if keyed.change == Change::Rotate { derived(&keyed.fresh_seed) } else { keyed.fresh_seed };
    seed(book, id, &first);
    let player = book.player(id).cloned().ok_or_else(none)?;
    let seeds = player.seeds.clone().ok_or_else(none)?;
    let next = match &keyed.change {
        Change::ClientSeed(client) if *client == seeds.client => None,
        Change::ClientSeed(client) => Some((Seeds { client: client.clone(), ..seeds.clone() }, player.nonce)),
        _ => Some((Seeds { server: ServerSeed::new(keyed.fresh_seed), ..seeds.clone() }, 0)),
    };
    let mut ended = None;
    if let Some((next, nonce)) = next {
        let end = EndedSeeds {
            epoch: player.epoch,
            seeds,
            first_nonce: player.first_nonce,
            next_nonce: player.nonce,
            ended_at: now,
        };
        book.change_player(id, |player| {
            player.epoch = player.epoch.saturating_add(1);
            player.seeds = Some(next);
            (player.nonce, player.first_nonce) = (nonce, nonce);
        });
        ended = book.player(id).map(|player| player.shown_end(&end));
        book.end_seeds(id, end);
    }
    let now = book.player(id).and_then(Player::shown).ok_or_else(none)?;
    Ok(Answer::Seeds { now, ended })
}

/// Another seed than `fresh`, which tells nothing of it.
fn derived(fresh: &[u8; 32]) -> [u8; 32] {
    ServerSeed::new(*fresh).seal(b"the seed before the first")
}

fn path(
    book: &mut Book,
    banners: &Banners,
    player: &PlayerId,
    (banner, group): (&BannerId, &PityGroupId),
    target: Option<&SpeciesId>,
) -> Result<Answer, Unstored> {
    let found = banners.get(banner).filter(|found| found.group.id == *group);
    let found = found.ok_or_else(|| Unstored::BannerNotFound(banner.clone()))?;
    let after = pity::choose(found, &book.pity(player, group).pity, target)
        .map_err(|fault| Unstored::Invalid(BadField { path: "species_id", fault: fault.to_string() }))?;
    let path = after.paths.get(banner).cloned();
    book.change_pity(player, group, after);
    let points = path.as_ref().map_or(0, |path| path.points);
    Ok(Answer::Path { target: path.map(|path| path.target), points })
}
