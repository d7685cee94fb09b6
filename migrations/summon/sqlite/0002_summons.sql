-- Players at banners: what their draws come from, how far their pity has come, and every pull.

-- One row a player.
CREATE TABLE players (
    player_id TEXT NOT NULL,
    -- The server's part of what draws come from, secret until it is replaced; NULL before the first summon is begun.
    server_seed BLOB,
    client_seed TEXT,
    -- How many summons were drawn from these seeds.
    nonce INTEGER NOT NULL DEFAULT 0,
    last_time INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (player_id),
    CHECK (length(server_seed) = 32),
    CHECK ((server_seed IS NULL) = (client_seed IS NULL)),
    CHECK (nonce >= 0)
) STRICT, WITHOUT ROWID;

-- How far a player has come in one pity group.
CREATE TABLE pity (
    player_id TEXT NOT NULL,
    pity_group_id TEXT NOT NULL,
    pity TEXT NOT NULL,
    -- Pulls in the log: the last one's number.
    pulls INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (player_id, pity_group_id)
) STRICT, WITHOUT ROWID;

-- How much of a free summon, or of a banner's limit, was used in the newest period.
CREATE TABLE uses (
    player_id TEXT NOT NULL,
    banner_id TEXT NOT NULL,
    -- The cost option; empty for the banner's limit.
    what TEXT NOT NULL,
    period TEXT NOT NULL,
    used INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (player_id, banner_id, what)
) STRICT, WITHOUT ROWID;

-- Every pull, numbered without a gap: only ever added to.
CREATE TABLE pulls (
    player_id TEXT NOT NULL,
    pity_group_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    banner_id TEXT NOT NULL,
    operation_id TEXT NOT NULL,
    slot INTEGER NOT NULL,
    esprit_id TEXT NOT NULL,
    species_id TEXT NOT NULL,
    rarity TEXT NOT NULL,
    featured INTEGER,
    pity_before TEXT NOT NULL,
    pity_after TEXT NOT NULL,
    -- The numbers that were drawn, with commas between them.
    draws TEXT NOT NULL,
    nonce INTEGER NOT NULL,
    catalog_hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (player_id, pity_group_id, number),
    CHECK (number >= 1)
) STRICT;

-- Every catalog that was in force, by its hash: only ever added to.
CREATE TABLE catalogs (
    hash BLOB NOT NULL,
    content TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (hash)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER pulls_are_not_updated BEFORE UPDATE ON pulls
BEGIN SELECT RAISE(ABORT, 'UPDATE of pulls is refused: its rows are only ever added'); END;
CREATE TRIGGER pulls_are_not_deleted BEFORE DELETE ON pulls
BEGIN SELECT RAISE(ABORT, 'DELETE of pulls is refused: its rows are only ever added'); END;
CREATE TRIGGER catalogs_are_not_updated BEFORE UPDATE ON catalogs
BEGIN SELECT RAISE(ABORT, 'UPDATE of catalogs is refused: its rows are only ever added'); END;
CREATE TRIGGER catalogs_are_not_deleted BEFORE DELETE ON catalogs
BEGIN SELECT RAISE(ABORT, 'DELETE of catalogs is refused: its rows are only ever added'); END;
