-- Entries and answers in the order in which they come, found by an index: a batch then fills a few pages one after another, where it changed, and
-- split, a page of its own for each row. Nothing else is changed: the rows are copied, counted, and guarded as before.

DROP VIEW lumees_transactions;
DROP VIEW auric_coin_transactions;
DROP VIEW azurites_transactions;
DROP VIEW aether_transactions;
DROP VIEW shards_transactions;
DROP TRIGGER entries_are_not_updated;
DROP TRIGGER entries_are_not_deleted;
DROP TRIGGER mutations_are_not_updated;
DROP TRIGGER mutations_are_not_deleted;

ALTER TABLE entries RENAME TO entries_by_key;
ALTER TABLE mutations RENAME TO mutations_by_key;

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
) STRICT;

CREATE TABLE mutations (
    caller          TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    method          TEXT    NOT NULL,
    fingerprint     BLOB    NOT NULL,
    fields          TEXT    NOT NULL,
    outcome         TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (caller, idempotency_key)
) STRICT;

INSERT INTO entries SELECT * FROM entries_by_key ORDER BY created_at, player_id, number;
INSERT INTO mutations SELECT * FROM mutations_by_key ORDER BY created_at, caller, idempotency_key;

-- Not one row less, or the migration comes to nothing.
CREATE TABLE copied (
    rows_before INTEGER NOT NULL,
    rows_after  INTEGER NOT NULL,
    CHECK (rows_before = rows_after)
) STRICT;
INSERT INTO copied SELECT (SELECT count(*) FROM entries_by_key), (SELECT count(*) FROM entries);
INSERT INTO copied SELECT (SELECT count(*) FROM mutations_by_key), (SELECT count(*) FROM mutations);
DROP TABLE copied;
DROP TABLE entries_by_key;
DROP TABLE mutations_by_key;

CREATE TRIGGER entries_are_not_updated BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'UPDATE of entries is refused: its rows are only ever added'); END;
CREATE TRIGGER entries_are_not_deleted BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'DELETE of entries is refused: its rows are only ever added'); END;
CREATE TRIGGER mutations_are_not_updated BEFORE UPDATE ON mutations
BEGIN SELECT RAISE(ABORT, 'UPDATE of mutations is refused: its rows are only ever added'); END;
CREATE TRIGGER mutations_are_not_deleted BEFORE DELETE ON mutations
BEGIN SELECT RAISE(ABORT, 'DELETE of mutations is refused: its rows are only ever added'); END;

CREATE VIEW lumees_transactions AS SELECT * FROM entries WHERE asset_id = 'lumees';
CREATE VIEW auric_coin_transactions AS SELECT * FROM entries WHERE asset_id = 'auric_coin';
CREATE VIEW azurites_transactions AS SELECT * FROM entries WHERE asset_id = 'azurites';
CREATE VIEW aether_transactions AS SELECT * FROM entries WHERE asset_id = 'aether';
CREATE VIEW shards_transactions AS SELECT * FROM entries WHERE asset_id = 'shards';
