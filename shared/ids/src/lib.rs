//! The names that cross services, each a type of its own, each parsed once at the edge and trusted from there on.
//!
//! An id is immutable and cheap to clone: up to 23 bytes lie in it, longer ones are shared. Its order is the byte order of its text, which is
//! the order of `COLLATE "C"` in PostgreSQL and of `BINARY` in SQLite: both stores lock and page in the order that a `BTreeMap` here has.

mod text;

pub use text::{IdError, Rule};

use text::define_ids;

define_ids! {
    /// A player: 1 to 64 of `A-Z a-z 0-9 _ . : -`. A Discord user is `discord:<snowflake>`.
    PlayerId, "player_id", Rule::name(64);

    /// An asset of the catalog: 1 to 64 of `a-z 0-9 _ /`.
    AssetId, "asset_id", Rule::lower(64, "_/");

    /// A pool of a credit asset: 1 to 32 of `a-z 0-9 _`; empty where an asset has no pools.
    PoolId, "pool_id", Rule::lower(32, "_").or_empty();

    /// A principal that may call: 1 to 64 of `A-Z a-z 0-9 _ . : -`.
    CallerId, "caller", Rule::name(64);

    /// A caller's own name for one mutation: 1 to 128 printable ASCII characters, no space.
    IdempotencyKey, "idempotency_key", Rule::printable(128);

    /// Why something was done, in the caller's word: 1 to 64 of `a-z 0-9 _ . -`.
    Reason, "reason", Rule::lower(64, "_.-");

    /// A caller's own name for one hold: 1 to 128 printable ASCII characters, no space.
    HoldId, "hold_id", Rule::printable(128);

    /// What kind of reward a claim is: 1 to 50 of `a-z 0-9 _ . -`, such as `daily`.
    ClaimType, "claim_type", Rule::lower(50, "_.-");

    /// Which reward of its kind: 1 to 100 printable ASCII characters, no space, such as a date or an encounter's id.
    ClaimKey, "claim_key", Rule::printable(100);

    /// What a player raises with stat points: 1 to 32 of `a-z 0-9 _`.
    StatId, "stat_id", Rule::lower(32, "_");

    /// Who takes the players' money: 1 to 32 of `a-z 0-9 _ -`, such as `stripe`.
    ProviderId, "provider", Rule::lower(32, "_-");

    /// A provider's own name for one message of it: 1 to 100 printable ASCII characters, no space.
    EventId, "event_id", Rule::printable(100);

    /// A provider's own name for what was paid, such as a charge or an invoice: 1 to 100 printable ASCII characters, no space.
    ObjectId, "object_id", Rule::printable(100);

    /// What lets a player generate something once: 1 to 64 of `A-Z a-z 0-9 _ . : -`.
    RetailTokenId, "token", Rule::name(64);

    /// What was generated, in its maker's own name for it: 1 to 128 printable ASCII characters, no space.
    GenerationId, "generation_id", Rule::printable(128);

    /// The SHA-256 of what was generated: 64 hexadecimal digits in lower case.
    PayloadHash, "payload_hash", Rule::hex(64);

    /// An operation over several services, named by its coordinator: 32 hexadecimal digits in lower case, drawn at random.
    OperationId, "operation_id", Rule::hex(32);

    /// One esprit for ever: 1 to 64 of `A-Z a-z 0-9 _ . : -`.
    EspritId, "esprit_id", Rule::name(64);

    /// What kind an esprit is of: 1 to 64 of `a-z 0-9 _`.
    SpeciesId, "species_id", Rule::lower(64, "_");

    /// How rare a species is: 1 to 32 of `a-z 0-9 _`.
    RarityId, "rarity", Rule::lower(32, "_");

    /// What esprits are summoned from: 1 to 64 of `a-z 0-9 _`.
    BannerId, "banner_id", Rule::lower(64, "_");

    /// The banners that share a player's pity: 1 to 64 of `a-z 0-9 _`.
    PityGroupId, "pity_group", Rule::lower(64, "_");

    /// One of the ways in which a banner's summons are paid: 1 to 32 of `a-z 0-9 _`.
    CostId, "cost_id", Rule::lower(32, "_");

    /// A zone of the world: 1 to 48 of `a-z 0-9 _`.
    ZoneId, "zone_id", Rule::lower(48, "_");

    /// What an esprit's powers are of: 1 to 32 of `a-z 0-9 _`.
    ElementId, "element", Rule::lower(32, "_");

    /// What an esprit does in a team: 1 to 32 of `a-z 0-9 _`.
    ClassId, "class", Rule::lower(32, "_");

    /// One piece of equipment for ever: 1 to 64 of `A-Z a-z 0-9 _ . : -`.
    EquipmentId, "equipment_id", Rule::name(64);

    /// What kind a piece of equipment is of: 1 to 64 of `a-z 0-9 _`.
    EquipmentKindId, "kind_id", Rule::lower(64, "_");

    /// Where a piece of equipment is worn: 1 to 32 of `a-z 0-9 _`.
    EquipmentSlotId, "slot_id", Rule::lower(32, "_");

    /// What members of a team do for each other: 1 to 64 of `a-z 0-9 _`.
    SynergyId, "synergy_id", Rule::lower(64, "_");

    /// A job of the scheduler: 1 to 64 of `A-Z a-z 0-9 _ . : -`.
    JobId, "job_id", Rule::name(64);

    /// What a job belongs to: 1 to 64 of `A-Z a-z 0-9 _ . : -`; empty where it belongs to nothing.
    JobGroupId, "group", Rule::name(64).or_empty();

    /// Who does what jobs set in motion, as the scheduler's settings name it: 1 to 32 of `a-z 0-9 _ -`.
    TargetId, "target", Rule::lower(32, "_-");

    /// What a target does: 1 to 64 of `a-z 0-9 _ . -`.
    HandlerId, "handler", Rule::lower(64, "_.-");

    /// A W3C trace id: 32 hexadecimal digits in lower case, or empty.
    TraceId, "trace_id", Rule::hex(32).or_empty();
}
