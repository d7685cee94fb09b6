//! The parts of the table: which scenes each needs, and which figures come of them.

use serde::Serialize;

use super::Results;
use super::overload::Overload;
use crate::figures::Bound::{AtLeast, AtMost};
use crate::figures::{Figure, Unit};
use crate::scene::{Kind, Mix, Scene};
use crate::summary::median;
use crate::traffic::{KeyOrder, Routing};

/// Players of every ledger but the one with a past.
pub const PLAYERS: u32 = 10_000;

/// Calls in flight in most parts.
const IN_FLIGHT: usize = 256;

/// Batches in flight.
const BATCHES_IN_FLIGHT: usize = 8;

const LANES: Kind = Kind::Lanes { copies: 1 };

/// One part of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Unary Post against naive and echo.
    Post,
    /// Postings that flow.
    Stream,
    /// Many postings in one call.
    Batch,
    /// Every call on one player.
    Hot,
    /// A lone caller.
    Lone,
    /// A reserve and its commit; claims and transfers beside it.
    Reserve,
    /// SQLite.
    Sqlite,
    /// A ledger with a long past.
    Million,
    /// Two copies on one database.
    Copies,
    /// Resident memory.
    Memory,
    /// One trace in ten kept, and sent to a collector.
    Telemetry,
    /// Three times the capacity.
    Overload,
}

impl Part {
    /// Every part, in the order of the table.
    pub const ALL: [Self; 12] = [
        Self::Post,
        Self::Stream,
        Self::Batch,
        Self::Hot,
        Self::Lone,
        Self::Reserve,
        Self::Sqlite,
        Self::Million,
        Self::Copies,
        Self::Memory,
        Self::Telemetry,
        Self::Overload,
    ];

    /// The scenes that its figures come of. Names that parts share are run once.
    pub(super) fn scenes(self) -> Vec<Scene> {
        let echo = Scene::closed("echo", Kind::Echo, IN_FLIGHT, PLAYERS);
        let naive = Scene::closed("naive", Kind::Naive, IN_FLIGHT, PLAYERS);
        let post = Scene::closed("post", LANES, IN_FLIGHT, PLAYERS);
        let batch = Scene { name: "batch", mix: Mix::PostBatch, in_flight: BATCHES_IN_FLIGHT, ..post };
        let sqlite = Scene::closed("sqlite", Kind::Sqlite, IN_FLIGHT, PLAYERS);
        match self {
            Self::Post => vec![echo, naive, post, Scene { name: "post, random keys", keys: KeyOrder::Random, ..post }],
            Self::Stream => vec![post, Scene { name: "stream", mix: Mix::PostStream, ..post }],
            Self::Batch => vec![naive, batch],
            Self::Hot => vec![post, Scene { name: "hot", players: Some(1), ..post }],
            Self::Lone => vec![
                Scene { name: "naive lone", in_flight: 1, ..naive },
                Scene { name: "post lone", in_flight: 1, ..post },
            ],
            Self::Reserve => vec![
                post,
                Scene { name: "reserve + commit", mix: Mix::ReserveCommit, ..post },
                Scene { name: "transfer", mix: Mix::Transfer, ..post },
                Scene { name: "claim", mix: Mix::Claim, ..post },
            ],
            Self::Sqlite => {
                vec![echo, sqlite, Scene { name: "sqlite, random keys", keys: KeyOrder::Random, ..sqlite }]
            }
            Self::Million => vec![
                post,
                Scene { name: "million, 10,000 called", kind: Kind::Filled, ..post },
                Scene { name: "million, all called", kind: Kind::Filled, players: None, ..post },
            ],
            Self::Copies => {
                let two = Scene { kind: Kind::Lanes { copies: 2 }, ..post };
                vec![
                    post,
                    Scene { name: "two copies, rendezvous", ..two },
                    Scene { name: "two copies, random", routing: Routing::Random, ..two },
                ]
            }
            Self::Memory => vec![post, sqlite],
            Self::Telemetry => vec![post, Scene { name: "post, traced", kind: Kind::Traced, ..post }],
            Self::Overload => vec![post, batch, sqlite],
        }
    }

    /// The figures, from what its scenes came to.
    pub(super) fn figures(self, results: &Results) -> Vec<Figure> {
        match self {
            Self::Post => post(results),
            Self::Stream => {
                vec![speed(results, "PostStream on 4 streams", ("stream", "× unary Post", "post"), 1.3, 2.0)]
            }
            Self::Batch => vec![speed(results, "PostBatch of 500", ("batch", "× naive", "naive"), 8.0, 15.0)],
            Self::Hot => vec![speed(results, "every call on one player", ("hot", "× spread", "post"), 0.8, 1.0)],
            Self::Lone => {
                let reached = results.ratio("post lone", "naive lone", |window| window.latency.p50_ms);
                let bounds = (AtMost(1.2), Some(AtMost(1.0)));
                vec![Figure::bound("a lone caller's p50", "× naive", Unit::Times, bounds, reached)]
            }
            Self::Reserve => vec![
                speed(results, "reserve + commit, pairs", ("reserve + commit", "× unary Post", "post"), 0.45, 0.5),
                recorded(results, "transfer", ("transfer", "× unary Post", "post")),
                recorded(results, "claim", ("claim", "× unary Post", "post")),
            ],
            Self::Sqlite => vec![
                speed(results, "SQLite", ("sqlite", "× echo", "echo"), 0.2, 0.33),
                recorded(results, "SQLite, random keys", ("sqlite, random keys", "× echo", "echo")),
            ],
            Self::Million => vec![
                speed(results, "a long past, 10,000 called", ("million, 10,000 called", "× empty", "post"), 0.8, 1.0),
                recorded(results, "a long past, all called", ("million, all called", "× empty", "post")),
            ],
            Self::Copies => vec![
                recorded(results, "two copies, rendezvous", ("two copies, rendezvous", "× one", "post")),
                recorded(results, "two copies, random", ("two copies, random", "× one", "post")),
            ],
            Self::Memory => memory(results),
            Self::Telemetry => {
                vec![speed(results, "one trace in ten kept", ("post, traced", "× none", "post"), 0.95, 1.0)]
            }
            Self::Overload => results.overloads.iter().flat_map(Overload::figures).collect(),
        }
    }
}

/// A throughput as a multiple of another scene's: the scene, the words for what it is compared with, and that scene.
type Compared = (&'static str, &'static str, &'static str);

fn speed(results: &Results, name: &'static str, compared: Compared, must: f64, aim: f64) -> Figure {
    let (subject, of, base) = compared;
    let reached = results.ratio(subject, base, |window| window.per_second);
    Figure::bound(name, of, Unit::Times, (AtLeast(must), Some(AtLeast(aim))), reached)
}

fn recorded(results: &Results, name: &'static str, (subject, of, base): Compared) -> Figure {
    Figure::recorded(name, of, Unit::Times, results.ratio(subject, base, |window| window.per_second))
}

fn post(results: &Results) -> Vec<Figure> {
    // How much less a unit takes of the processors: what is left of a ratio when something else has them too.
    let thrift = |base| results.ratio(base, "post", |window| window.cpu.total_us());
    vec![
        speed(results, "unary Post", ("post", "× naive", "naive"), 5.0, 8.0),
        speed(results, "unary Post", ("post", "× echo", "echo"), 0.25, 0.4),
        recorded(results, "unary Post, random keys", ("post, random keys", "× echo", "echo")),
        Figure::recorded("unary Post", "× naive by processor time", Unit::Times, thrift("naive")),
        Figure::recorded("unary Post", "× echo by processor time", Unit::Times, thrift("echo")),
    ]
}

fn memory(results: &Results) -> Vec<Figure> {
    let most = |name| median(results.of(name).iter().map(|window| mebibytes(window.memory_bytes)));
    let bounds = |bound| (AtMost(bound), None);
    vec![
        Figure::bound("auric up", "idle", Unit::Mebibytes, bounds(60.0), mebibytes(results.idle_bytes)),
        Figure::bound("auric up", "during the run", Unit::Mebibytes, bounds(300.0), most("sqlite")),
        Figure::bound("wallet on PostgreSQL", "during the run", Unit::Mebibytes, bounds(300.0), most("post")),
    ]
}

pub fn mebibytes(bytes: u64) -> f64 {
    crate::float(bytes) / 1_048_576.0
}
