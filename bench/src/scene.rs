//! One thing to measure: which calls, at what, how many at a time.

use serde::Serialize;

use crate::schedule::Pace;
use crate::traffic::{KeyOrder, Routing};

/// What the calls ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mix {
    /// One posting of one leg.
    Post,
    /// Postings that flow on one stream a connection; closed loop only.
    PostStream,
    /// Many postings of one leg in one call.
    PostBatch,
    /// A reserve and its commit, one after the other.
    ReserveCommit,
    /// Units from one player to another.
    Transfer,
    /// A reward that is paid once.
    Claim,
    /// A summon of one pull.
    #[value(skip)]
    Summon,
    /// A summon of ten pulls.
    #[value(skip)]
    SummonTen,
    /// A page of 50 esprits.
    #[value(skip)]
    ListEsprits,
    /// The same; one call in twenty changes an esprit of the player instead.
    #[value(skip)]
    ListAndChange,
    /// What a player has, in numbers.
    #[value(skip)]
    GetProfile,
    /// The strongest team of all that a player has.
    #[value(skip)]
    OptimizeTeam,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The empty call.
    Echo,
    /// The wallet as it ships, on PostgreSQL.
    Lanes {
        /// Processes on one database.
        copies: usize,
    },
    /// The same wallet with one transaction a mutation, on the pool size that suits it best.
    Naive,
    /// `auric up`, on SQLite.
    Sqlite,
    /// The wallet as it ships, on a ledger with a long past.
    Filled,
    /// The wallet as it ships, which keeps one trace in ten and sends it to a collector.
    Traced,
    /// Summon, wallet and collection as they ship, each a process with a database.
    Summon,
    /// A summon as one transaction over one database, on the pool size that suits it best.
    Monolith,
    /// The collection, filled.
    Collection {
        /// Whether it keeps in memory what readers saw.
        keeps: bool,
        /// Esprits of each player.
        esprits: u32,
    },
}

/// One thing to measure.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Its name in every report.
    pub name: &'static str,
    /// What is called.
    pub kind: Kind,
    /// What the calls ask for.
    pub mix: Mix,
    /// When calls are due.
    pub pace: Pace,
    /// Calls in flight, at most in an open loop.
    pub in_flight: usize,
    /// Players that the calls are spread over; [`None`] means all that there are.
    pub players: Option<u32>,
    /// How a copy is chosen.
    pub routing: Routing,
    /// Connections to each copy.
    pub channels: usize,
    /// Under which keys.
    pub keys: KeyOrder,
}

/// Connections to each copy, unless asked otherwise.
pub const CHANNELS: usize = 4;

impl Scene {
    /// A closed loop of postings.
    pub const fn closed(name: &'static str, kind: Kind, in_flight: usize, players: u32) -> Self {
        Self {
            name,
            kind,
            mix: Mix::Post,
            pace: Pace::Closed,
            in_flight,
            players: Some(players),
            routing: Routing::Rendezvous,
            channels: CHANNELS,
            keys: KeyOrder::Growing,
        }
    }

    /// The same calls in an open loop.
    pub fn at_rate(self, per_second: f64, in_flight_max: usize) -> Self {
        Self { pace: Pace::Open { per_second }, in_flight: in_flight_max, ..self }
    }
}
