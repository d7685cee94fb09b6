-- Players at banners: what their draws come from, how far their pity has come, and every pull.

-- One row a player: what a transaction locks.
CREATE TABLE players (
    player_id   text        COLLATE "C" NOT NULL,
    -- The server's part of what draws come from, secret until it is replaced; NULL before the first summon is begun.
    server_seed bytea,
    client_seed text        COLLATE "C",
    -- How many summons were drawn from these seeds.
    nonce       bigint      NOT NULL DEFAULT 0,
    last_time   timestamptz NOT NULL DEFAULT to_timestamp(0),
    version     bigint      NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (player_id),
    CHECK (octet_length(server_seed) = 32),
    CHECK ((server_seed IS NULL) = (client_seed IS NULL)),
    CHECK (nonce >= 0)
) WITH (fillfactor = 50);

-- How far a player has come in one pity group.
CREATE TABLE pity (
    player_id     text        COLLATE "C" NOT NULL,
    pity_group_id text        COLLATE "C" NOT NULL,
    pity          text        NOT NULL,
    -- Pulls in the log: the last one's number.
    pulls         bigint      NOT NULL,
    version       bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (player_id, pity_group_id)
) WITH (fillfactor = 50);

-- How much of a free summon, or of a banner's limit, was used in the newest period.
CREATE TABLE uses (
    player_id  text        COLLATE "C" NOT NULL,
    banner_id  text        COLLATE "C" NOT NULL,
    -- The cost option; empty for the banner's limit.
    what       text        COLLATE "C" NOT NULL,
    period     text        COLLATE "C" NOT NULL,
    used       bigint      NOT NULL,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (player_id, banner_id, what)
);

-- Every pull, numbered without a gap: only ever added to.
CREATE TABLE pulls (
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
    -- The numbers that were drawn, with commas between them.
    draws         text        NOT NULL,
    nonce         bigint      NOT NULL,
    catalog_hash  bytea       NOT NULL,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (player_id, pity_group_id, number),
    CHECK (number >= 1)
);

-- Every catalog that was in force, by its hash: only ever added to.
CREATE TABLE catalogs (
    hash       bytea       NOT NULL,
    content    text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (hash)
);

CREATE TRIGGER pulls_are_only_added BEFORE UPDATE OR DELETE ON pulls
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER pulls_are_not_truncated BEFORE TRUNCATE ON pulls
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER catalogs_are_only_added BEFORE UPDATE OR DELETE ON catalogs
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER catalogs_are_not_truncated BEFORE TRUNCATE ON catalogs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
