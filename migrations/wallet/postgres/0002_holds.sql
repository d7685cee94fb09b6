-- Holds, claims, the counters of what came and went, and every catalog that was in force.

-- One row a hold, kept for ever; a tombstone (voided) has no legs.
CREATE TABLE holds (
    hold_id    text        COLLATE "C" NOT NULL,
    caller     text        COLLATE "C" NOT NULL,
    made_under text        NOT NULL,
    state      text        NOT NULL,
    -- The first of its players; the others are in hold_players.
    player_id  text        COLLATE "C" NOT NULL,
    legs       text        NOT NULL,
    whole      boolean     NOT NULL,
    expires_at timestamptz,
    reason     text        NOT NULL,
    context    text        NOT NULL,
    asked      bytea       NOT NULL,
    reserved   text        NOT NULL,
    ended      text        NOT NULL,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (hold_id)
);

CREATE INDEX holds_open_of_player ON holds (player_id, hold_id) WHERE state = 'held';
CREATE INDEX holds_open_of_caller ON holds (caller, created_at, hold_id) WHERE state = 'held';

-- The players of a hold beyond its first.
CREATE TABLE hold_players (
    player_id text COLLATE "C" NOT NULL,
    hold_id   text COLLATE "C" NOT NULL,
    PRIMARY KEY (player_id, hold_id)
);

-- Rewards that were claimed: only ever added to.
CREATE TABLE claims (
    player_id       text        COLLATE "C" NOT NULL,
    claim_type      text        COLLATE "C" NOT NULL,
    claim_key       text        COLLATE "C" NOT NULL,
    caller          text        COLLATE "C" NOT NULL,
    idempotency_key text        COLLATE "C" NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (player_id, claim_type, claim_key)
);

-- What came into the game and went out of it. Several slots a line, so that copies and lanes do not wait for one another; read as their sum.
CREATE TABLE flows (
    asset_id text     COLLATE "C" NOT NULL,
    reason   text     COLLATE "C" NOT NULL,
    day      integer  NOT NULL,
    slot     smallint NOT NULL,
    issued   bigint   NOT NULL,
    burned   bigint   NOT NULL,
    PRIMARY KEY (asset_id, reason, day, slot),
    CHECK (issued >= 0 AND burned >= 0)
) WITH (fillfactor = 50);

-- Every catalog that was in force, by its hash: only ever added to.
CREATE TABLE catalogs (
    hash       bytea       NOT NULL,
    content    text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (hash)
);

CREATE TRIGGER claims_are_only_added BEFORE UPDATE OR DELETE ON claims
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER claims_are_not_truncated BEFORE TRUNCATE ON claims
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER catalogs_are_only_added BEFORE UPDATE OR DELETE ON catalogs
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER catalogs_are_not_truncated BEFORE TRUNCATE ON catalogs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER holds_are_not_deleted BEFORE DELETE ON holds
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER holds_are_not_truncated BEFORE TRUNCATE ON holds
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The audit under the names that people of the earlier systems look for: a view a pillar currency.
CREATE VIEW lumees_transactions AS SELECT * FROM entries WHERE asset_id = 'lumees';
CREATE VIEW auric_coin_transactions AS SELECT * FROM entries WHERE asset_id = 'auric_coin';
CREATE VIEW azurites_transactions AS SELECT * FROM entries WHERE asset_id = 'azurites';
CREATE VIEW aether_transactions AS SELECT * FROM entries WHERE asset_id = 'aether';
CREATE VIEW shards_transactions AS SELECT * FROM entries WHERE asset_id = 'shards';
