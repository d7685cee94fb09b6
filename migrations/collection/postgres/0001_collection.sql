-- The collection: players, what they have collected, and the parts that it takes in operations of others.

-- Timeouts belong to the database, not to a session: they hold behind a pooler too. A copy that is frozen between its locks and its
-- commit lets its players go by itself.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = ''5s''', current_database());
    EXECUTE format('ALTER DATABASE %I SET lock_timeout = ''2s''', current_database());
    EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''10s''', current_database());
    -- Every statement names its rows by their keys: a plan that was made while a table was small must not scan it when it is large.
    EXECUTE format('ALTER DATABASE %I SET enable_hashjoin = off', current_database());
    EXECUTE format('ALTER DATABASE %I SET enable_mergejoin = off', current_database());
    EXECUTE format('ALTER DATABASE %I SET enable_seqscan = off', current_database());
    EXECUTE format('ALTER DATABASE %I SET jit = off', current_database());
    EXECUTE format('ALTER DATABASE %I SET tcp_keepalives_idle = 10', current_database());
    EXECUTE format('ALTER DATABASE %I SET tcp_keepalives_interval = 5', current_database());
    EXECUTE format('ALTER DATABASE %I SET tcp_keepalives_count = 3', current_database());
END
$$;

-- One row a player: what a transaction locks.
CREATE TABLE players (
    player_id   text        COLLATE "C" NOT NULL,
    -- Esprits that the player has.
    esprits     bigint      NOT NULL DEFAULT 0,
    -- Esprits that open participations promise.
    promised    bigint      NOT NULL DEFAULT 0,
    -- The number of the newest esprit, counted from 1.
    last_number bigint      NOT NULL DEFAULT 0,
    version     bigint      NOT NULL DEFAULT 0,
    -- Drawn anew by every change of anything that is the player's: what was read under another one is old.
    state_tag   bytea       NOT NULL DEFAULT decode(repeat('00', 16), 'hex'),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT to_timestamp(0),
    PRIMARY KEY (player_id),
    CHECK (esprits >= 0 AND promised >= 0),
    CHECK (last_number >= esprits),
    CHECK (octet_length(state_tag) = 16)
) WITH (fillfactor = 50);

-- One row an esprit, kept for ever.
CREATE TABLE esprits (
    player_id         text        COLLATE "C" NOT NULL,
    esprit_id         text        COLLATE "C" NOT NULL,
    -- The player's first esprit is 1.
    number            bigint      NOT NULL,
    species_id        text        COLLATE "C" NOT NULL,
    level             integer     NOT NULL,
    version           bigint      NOT NULL,
    -- Which operation brought it.
    operation_id      text        COLLATE "C" NOT NULL,
    locked            boolean     NOT NULL DEFAULT false,
    -- The operation that is about to change it; nobody else may.
    busy_operation_id text        COLLATE "C",
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    dissolved_at      timestamptz,
    PRIMARY KEY (player_id, esprit_id),
    CHECK (number >= 1 AND level >= 1 AND version >= 1)
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX esprits_by_number ON esprits (player_id, number);
CREATE INDEX esprits_of_species ON esprits (player_id, species_id, number) WHERE dissolved_at IS NULL;

-- One row an operation of another service, kept for ever; a tombstone (voided) has no intent.
CREATE TABLE participations (
    operation_id text        COLLATE "C" NOT NULL,
    player_id    text        COLLATE "C" NOT NULL,
    coordinator  text        COLLATE "C" NOT NULL,
    state        text        COLLATE "C" NOT NULL,
    catalog_hash bytea,
    intent       text,
    outcome      text,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (operation_id),
    CHECK (state IN ('prepared', 'committed', 'cancelled', 'voided')),
    CHECK ((state = 'voided') = (intent IS NULL)),
    CHECK ((state = 'committed') = (outcome IS NOT NULL))
) WITH (fillfactor = 70);

CREATE INDEX participations_in_state ON participations (state, operation_id);
CREATE INDEX participations_of_coordinator ON participations (coordinator, operation_id);
CREATE INDEX participations_of_coordinator_in_state ON participations (coordinator, state, operation_id);

-- Every catalog that was in force, by its hash: only ever added to. `esprits` is what coordinators have too, `collection` the whole.
CREATE TABLE catalogs (
    hash       bytea       NOT NULL,
    kind       text        COLLATE "C" NOT NULL,
    content    text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (hash),
    CHECK (kind IN ('esprits', 'collection')),
    CHECK (octet_length(hash) = 32)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: its rows are kept for ever', TG_OP, TG_TABLE_NAME;
END
$$;

CREATE TRIGGER catalogs_are_only_added BEFORE UPDATE OR DELETE ON catalogs
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER catalogs_are_not_truncated BEFORE TRUNCATE ON catalogs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER esprits_are_not_deleted BEFORE DELETE ON esprits
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER esprits_are_not_truncated BEFORE TRUNCATE ON esprits
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER participations_are_not_deleted BEFORE DELETE ON participations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER participations_are_not_truncated BEFORE TRUNCATE ON participations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
