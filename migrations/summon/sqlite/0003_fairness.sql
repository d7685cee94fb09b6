-- What a player proves pulls with: the seeds that went out of use, and the changes of seeds and paths under their keys.

-- Which pair of seeds is in use, and the number of the first summon that is drawn from it.
ALTER TABLE players ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE players ADD COLUMN first_nonce INTEGER NOT NULL DEFAULT 0;

-- The pair of seeds that it was drawn from.
ALTER TABLE pulls ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;

-- Every pair of seeds that went out of use. A server seed may be shown once it is not its player's any more: with another client seed it goes on.
CREATE TABLE seeds (
    player_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    server_seed BLOB NOT NULL,
    client_seed TEXT NOT NULL,
    first_nonce INTEGER NOT NULL,
    next_nonce INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    PRIMARY KEY (player_id, epoch),
    CHECK (length(server_seed) = 32),
    CHECK (next_nonce >= first_nonce)
) STRICT, WITHOUT ROWID;

-- Every keyed request besides summons, and its answer. Kept for ever.
CREATE TABLE mutations (
    caller TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    method TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    fields TEXT NOT NULL,
    player_id TEXT NOT NULL,
    answer TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (caller, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER seeds_are_not_updated BEFORE UPDATE ON seeds
BEGIN SELECT RAISE(ABORT, 'UPDATE of seeds is refused: its rows are only ever added'); END;
CREATE TRIGGER seeds_are_not_deleted BEFORE DELETE ON seeds
BEGIN SELECT RAISE(ABORT, 'DELETE of seeds is refused: its rows are only ever added'); END;
CREATE TRIGGER mutations_are_not_updated BEFORE UPDATE ON mutations
BEGIN SELECT RAISE(ABORT, 'UPDATE of mutations is refused: its rows are only ever added'); END;
CREATE TRIGGER mutations_are_not_deleted BEFORE DELETE ON mutations
BEGIN SELECT RAISE(ABORT, 'DELETE of mutations is refused: its rows are only ever added'); END;
