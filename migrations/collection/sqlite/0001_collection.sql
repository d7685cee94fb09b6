-- The collection: players, what they have collected, and the parts that it takes in operations of others.
-- Times are microseconds since 1970; text compares byte by byte (BINARY), as COLLATE "C" does.

-- One row a player.
CREATE TABLE players (
    player_id   TEXT    NOT NULL,
    -- Esprits that the player has.
    esprits     INTEGER NOT NULL DEFAULT 0,
    -- Esprits that open participations promise.
    promised    INTEGER NOT NULL DEFAULT 0,
    -- The number of the newest esprit, counted from 1.
    last_number INTEGER NOT NULL DEFAULT 0,
    version     INTEGER NOT NULL DEFAULT 0,
    -- Drawn anew by every change of anything that is the player's: what was read under another one is old.
    state_tag   BLOB    NOT NULL DEFAULT (zeroblob(16)) CHECK (length(state_tag) = 16),
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (player_id),
    CHECK (esprits >= 0 AND promised >= 0),
    CHECK (last_number >= esprits)
) STRICT, WITHOUT ROWID;

-- One row an esprit, kept for ever.
CREATE TABLE esprits (
    player_id         TEXT    NOT NULL,
    esprit_id         TEXT    NOT NULL,
    -- The player's first esprit is 1.
    number            INTEGER NOT NULL,
    species_id        TEXT    NOT NULL,
    level             INTEGER NOT NULL,
    version           INTEGER NOT NULL,
    -- Which operation brought it.
    operation_id      TEXT    NOT NULL,
    locked            INTEGER NOT NULL DEFAULT 0 CHECK (locked IN (0, 1)),
    -- The operation that is about to change it; nobody else may.
    busy_operation_id TEXT,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    dissolved_at      INTEGER,
    PRIMARY KEY (player_id, esprit_id),
    CHECK (number >= 1 AND level >= 1 AND version >= 1)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX esprits_by_number ON esprits (player_id, number);
CREATE INDEX esprits_of_species ON esprits (player_id, species_id, number) WHERE dissolved_at IS NULL;

-- One row an operation of another service, kept for ever; a tombstone (voided) has no intent.
CREATE TABLE participations (
    operation_id TEXT    NOT NULL,
    player_id    TEXT    NOT NULL,
    coordinator  TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('prepared', 'committed', 'cancelled', 'voided')),
    catalog_hash BLOB,
    intent       TEXT,
    outcome      TEXT,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (operation_id),
    CHECK ((state = 'voided') = (intent IS NULL)),
    CHECK ((state = 'committed') = (outcome IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX participations_in_state ON participations (state, operation_id);
CREATE INDEX participations_of_coordinator ON participations (coordinator, operation_id);
CREATE INDEX participations_of_coordinator_in_state ON participations (coordinator, state, operation_id);

-- Every catalog that was in force, by its hash: only ever added to. `esprits` is what coordinators have too, `collection` the whole.
CREATE TABLE catalogs (
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    kind       TEXT    NOT NULL CHECK (kind IN ('esprits', 'collection')),
    content    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (hash)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER catalogs_are_not_updated BEFORE UPDATE ON catalogs
BEGIN SELECT RAISE(ABORT, 'UPDATE of catalogs is refused: its rows are kept for ever'); END;
CREATE TRIGGER catalogs_are_not_deleted BEFORE DELETE ON catalogs
BEGIN SELECT RAISE(ABORT, 'DELETE of catalogs is refused: its rows are kept for ever'); END;
CREATE TRIGGER esprits_are_not_deleted BEFORE DELETE ON esprits
BEGIN SELECT RAISE(ABORT, 'DELETE of esprits is refused: its rows are kept for ever'); END;
CREATE TRIGGER participations_are_not_deleted BEFORE DELETE ON participations
BEGIN SELECT RAISE(ABORT, 'DELETE of participations is refused: its rows are kept for ever'); END;
