//! The monolith's tables: those of the three services without what only two phases need, namely holds, participations and operations.

/// Makes what is not there. The columns, keys, indexes and fill factors are the services' own.
pub const SCHEMA: &str = r#"
CREATE TABLE IF NOT EXISTS players (
    player_id   text        COLLATE "C" NOT NULL,
    server_seed bytea       NOT NULL,
    client_seed text        COLLATE "C" NOT NULL,
    nonce       bigint      NOT NULL DEFAULT 0,
    last_number bigint      NOT NULL DEFAULT 0,
    last_hash   bytea       NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    last_time   timestamptz NOT NULL DEFAULT to_timestamp(0),
    esprits     bigint      NOT NULL DEFAULT 0,
    version     bigint      NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (player_id),
    CHECK (octet_length(server_seed) = 32),
    CHECK (octet_length(last_hash) = 32)
) WITH (fillfactor = 50);

CREATE TABLE IF NOT EXISTS balances (
    player_id  text        COLLATE "C" NOT NULL,
    asset_id   text        COLLATE "C" NOT NULL,
    available  bigint      NOT NULL,
    version    bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (player_id, asset_id),
    CHECK (available BETWEEN 0 AND 9007199254740991)
) WITH (fillfactor = 50);

CREATE TABLE IF NOT EXISTS entries (
    player_id        text        COLLATE "C" NOT NULL,
    number           bigint      NOT NULL,
    asset_id         text        COLLATE "C" NOT NULL,
    kind             text        NOT NULL,
    available_change bigint      NOT NULL,
    available_after  bigint      NOT NULL,
    reason           text        NOT NULL,
    context          text        NOT NULL,
    caller           text        NOT NULL,
    idempotency_key  text        NOT NULL,
    trace_id         text        NOT NULL,
    catalog_hash     bytea       NOT NULL,
    created_at       timestamptz NOT NULL,
    hash             bytea       NOT NULL,
    PRIMARY KEY (player_id, number)
);

CREATE TABLE IF NOT EXISTS flows (
    asset_id text     COLLATE "C" NOT NULL,
    reason   text     COLLATE "C" NOT NULL,
    day      integer  NOT NULL,
    slot     smallint NOT NULL,
    issued   bigint   NOT NULL,
    burned   bigint   NOT NULL,
    PRIMARY KEY (asset_id, reason, day, slot),
    CHECK (issued >= 0 AND burned >= 0)
) WITH (fillfactor = 50);

CREATE TABLE IF NOT EXISTS summons (
    caller          text        COLLATE "C" NOT NULL,
    idempotency_key text        COLLATE "C" NOT NULL,
    fingerprint     bytea       NOT NULL,
    fields          text        NOT NULL,
    player_id       text        COLLATE "C" NOT NULL,
    operation_id    text        COLLATE "C" NOT NULL,
    answer          text        NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (caller, idempotency_key)
);

CREATE TABLE IF NOT EXISTS pity (
    player_id     text        COLLATE "C" NOT NULL,
    pity_group_id text        COLLATE "C" NOT NULL,
    pity          text        NOT NULL,
    pulls         bigint      NOT NULL,
    version       bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (player_id, pity_group_id)
) WITH (fillfactor = 50);

CREATE TABLE IF NOT EXISTS pulls (
    player_id     text        COLLATE "C" NOT NULL,
    pity_group_id text        COLLATE "C" NOT NULL,
    number        bigint      NOT NULL,
    banner_id     text        COLLATE "C" NOT NULL,
    operation_id  text        COLLATE "C" NOT NULL,
    slot          bigint      NOT NULL,
    esprit_id     text        COLLATE "C" NOT NULL,
    species_id    text        COLLATE "C" NOT NULL,
    rarity        text        COLLATE "C" NOT NULL,
    featured      boolean,
    pity_before   text        NOT NULL,
    pity_after    text        NOT NULL,
    draws         text        NOT NULL,
    nonce         bigint      NOT NULL,
    catalog_hash  bytea       NOT NULL,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (player_id, pity_group_id, number),
    CHECK (number >= 1)
);

CREATE TABLE IF NOT EXISTS esprits (
    player_id    text        COLLATE "C" NOT NULL,
    esprit_id    text        COLLATE "C" NOT NULL,
    number       bigint      NOT NULL,
    species_id   text        COLLATE "C" NOT NULL,
    level        integer     NOT NULL,
    version      bigint      NOT NULL,
    operation_id text        COLLATE "C" NOT NULL,
    locked       boolean     NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    dissolved_at timestamptz,
    PRIMARY KEY (player_id, esprit_id),
    CHECK (number >= 1 AND level >= 1 AND version >= 1)
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX IF NOT EXISTS esprits_by_number ON esprits (player_id, number);
CREATE INDEX IF NOT EXISTS esprits_of_species ON esprits (player_id, species_id, number) WHERE dissolved_at IS NULL;
"#;
