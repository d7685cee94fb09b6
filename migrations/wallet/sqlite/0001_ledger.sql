-- The ledger: players, what they have, every change of it, and every answer that was given.
-- Times are microseconds since 1970; text compares byte by byte (BINARY), as COLLATE "C" does.

-- One row a player: the end of the player's audit.
CREATE TABLE players (
    player_id   TEXT    NOT NULL,
    last_number INTEGER NOT NULL DEFAULT 0 CHECK (last_number >= 0),
    last_hash   BLOB    NOT NULL DEFAULT (zeroblob(32)) CHECK (length(last_hash) = 32),
    last_time   INTEGER NOT NULL DEFAULT 0,
    -- No open hold of the player lapses before this.
    next_expiry INTEGER,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (player_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE balances (
    player_id  TEXT    NOT NULL,
    asset_id   TEXT    NOT NULL,
    pool_id    TEXT    NOT NULL,
    available  INTEGER NOT NULL,
    held       INTEGER NOT NULL,
    room       INTEGER NOT NULL,
    owed       INTEGER NOT NULL CHECK (owed BETWEEN 0 AND 9007199254740991),
    -- How often a credit pool was renewed.
    generation INTEGER NOT NULL,
    -- The terms that a recharging balance was settled under.
    settled_at      INTEGER,
    regen_units     INTEGER,
    interval_micros INTEGER,
    capacity        INTEGER,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (player_id, asset_id, pool_id),
    CHECK (available >= 0 AND held >= 0 AND room >= 0),
    CHECK (available + held + room <= 9007199254740991)
) STRICT, WITHOUT ROWID;

-- The audit: only ever added to.
CREATE TABLE entries (
    player_id        TEXT    NOT NULL,
    number           INTEGER NOT NULL,
    asset_id         TEXT    NOT NULL,
    pool_id          TEXT    NOT NULL,
    kind             TEXT    NOT NULL,
    available_change INTEGER NOT NULL,
    held_change      INTEGER NOT NULL,
    room_change      INTEGER NOT NULL,
    owed_change      INTEGER NOT NULL,
    available_after  INTEGER NOT NULL,
    held_after       INTEGER NOT NULL,
    room_after       INTEGER NOT NULL,
    owed_after       INTEGER NOT NULL,
    clamped          INTEGER NOT NULL,
    reason           TEXT    NOT NULL,
    context          TEXT    NOT NULL,
    caller           TEXT    NOT NULL,
    idempotency_key  TEXT    NOT NULL,
    trace_id         TEXT    NOT NULL,
    catalog_hash     BLOB    NOT NULL,
    created_at       INTEGER NOT NULL,
    hash             BLOB    NOT NULL,
    PRIMARY KEY (player_id, number)
) STRICT, WITHOUT ROWID;

-- Every answer that was given, a refusal too, under the caller's key: only ever added to.
CREATE TABLE mutations (
    caller          TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    method          TEXT    NOT NULL,
    fingerprint     BLOB    NOT NULL,
    fields          TEXT    NOT NULL,
    outcome         TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (caller, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER entries_are_not_updated BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'UPDATE of entries is refused: its rows are only ever added'); END;
CREATE TRIGGER entries_are_not_deleted BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'DELETE of entries is refused: its rows are only ever added'); END;
CREATE TRIGGER mutations_are_not_updated BEFORE UPDATE ON mutations
BEGIN SELECT RAISE(ABORT, 'UPDATE of mutations is refused: its rows are only ever added'); END;
CREATE TRIGGER mutations_are_not_deleted BEFORE DELETE ON mutations
BEGIN SELECT RAISE(ABORT, 'DELETE of mutations is refused: its rows are only ever added'); END;
