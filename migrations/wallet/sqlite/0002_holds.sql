-- Holds, claims, the counters of what came and went, and every catalog that was in force.

-- One row a hold, kept for ever; a tombstone (voided) has no legs.
CREATE TABLE holds (
    hold_id TEXT NOT NULL,
    caller TEXT NOT NULL,
    made_under TEXT NOT NULL,
    state TEXT NOT NULL,
    -- The first of its players; the others are in hold_players.
    player_id TEXT NOT NULL,
    legs TEXT NOT NULL,
    whole INTEGER NOT NULL,
    expires_at INTEGER,
    reason TEXT NOT NULL,
    context TEXT NOT NULL,
    asked BLOB NOT NULL,
    reserved TEXT NOT NULL,
    ended TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (hold_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX holds_open_of_player ON holds (player_id, hold_id) WHERE state = 'held';
CREATE INDEX holds_open_of_caller ON holds (caller, created_at, hold_id) WHERE state = 'held';

-- The players of a hold beyond its first.
CREATE TABLE hold_players (
    player_id TEXT NOT NULL,
    hold_id TEXT NOT NULL,
    PRIMARY KEY (player_id, hold_id)
) STRICT, WITHOUT ROWID;

-- Rewards that were claimed: only ever added to.
CREATE TABLE claims (
    player_id TEXT NOT NULL,
    claim_type TEXT NOT NULL,
    claim_key TEXT NOT NULL,
    caller TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (player_id, claim_type, claim_key)
) STRICT, WITHOUT ROWID;

-- What came into the game and went out of it. Read as the sum over the slots.
CREATE TABLE flows (
    asset_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    day INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    issued INTEGER NOT NULL,
    burned INTEGER NOT NULL,
    PRIMARY KEY (asset_id, reason, day, slot),
    CHECK (issued >= 0 AND burned >= 0)
) STRICT, WITHOUT ROWID;

-- Every catalog that was in force, by its hash: only ever added to.
CREATE TABLE catalogs (
    hash BLOB NOT NULL,
    content TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (hash)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER claims_are_not_updated BEFORE UPDATE ON claims
BEGIN SELECT RAISE(ABORT, 'UPDATE of claims is refused: its rows are only ever added'); END;
CREATE TRIGGER claims_are_not_deleted BEFORE DELETE ON claims
BEGIN SELECT RAISE(ABORT, 'DELETE of claims is refused: its rows are only ever added'); END;
CREATE TRIGGER catalogs_are_not_updated BEFORE UPDATE ON catalogs
BEGIN SELECT RAISE(ABORT, 'UPDATE of catalogs is refused: its rows are only ever added'); END;
CREATE TRIGGER catalogs_are_not_deleted BEFORE DELETE ON catalogs
BEGIN SELECT RAISE(ABORT, 'DELETE of catalogs is refused: its rows are only ever added'); END;
CREATE TRIGGER holds_are_not_deleted BEFORE DELETE ON holds
BEGIN SELECT RAISE(ABORT, 'DELETE of holds is refused: its rows are only ever added'); END;

-- The audit under the names that people of the earlier systems look for: a view a pillar currency.
CREATE VIEW lumees_transactions AS SELECT * FROM entries WHERE asset_id = 'lumees';
CREATE VIEW auric_coin_transactions AS SELECT * FROM entries WHERE asset_id = 'auric_coin';
CREATE VIEW azurites_transactions AS SELECT * FROM entries WHERE asset_id = 'azurites';
CREATE VIEW aether_transactions AS SELECT * FROM entries WHERE asset_id = 'aether';
CREATE VIEW shards_transactions AS SELECT * FROM entries WHERE asset_id = 'shards';
