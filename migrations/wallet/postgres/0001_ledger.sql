-- The ledger: players, what they have, every change of it, and every answer that was given.

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

-- One row a player: what a transaction locks, and the end of the player's audit.
CREATE TABLE players (
    player_id   text        COLLATE "C" NOT NULL,
    last_number bigint      NOT NULL DEFAULT 0,
    last_hash   bytea       NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    last_time   timestamptz NOT NULL DEFAULT to_timestamp(0),
    -- No open hold of the player lapses before this.
    next_expiry timestamptz,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (player_id),
    CHECK (last_number >= 0),
    CHECK (octet_length(last_hash) = 32)
) WITH (fillfactor = 50);

CREATE TABLE balances (
    player_id  text        COLLATE "C" NOT NULL,
    asset_id   text        COLLATE "C" NOT NULL,
    pool_id    text        COLLATE "C" NOT NULL,
    available  bigint      NOT NULL,
    held       bigint      NOT NULL,
    room       bigint      NOT NULL,
    owed       bigint      NOT NULL,
    -- How often a credit pool was renewed.
    generation bigint      NOT NULL,
    -- The terms that a recharging balance was settled under.
    settled_at      timestamptz,
    regen_units     bigint,
    interval_micros bigint,
    capacity        bigint,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (player_id, asset_id, pool_id),
    CHECK (available >= 0 AND held >= 0 AND room >= 0),
    CHECK (owed BETWEEN 0 AND 9007199254740991),
    CHECK (available + held + room <= 9007199254740991)
) WITH (fillfactor = 50);

-- The audit: only ever added to.
CREATE TABLE entries (
    player_id        text        COLLATE "C" NOT NULL,
    number           bigint      NOT NULL,
    asset_id         text        COLLATE "C" NOT NULL,
    pool_id          text        COLLATE "C" NOT NULL,
    kind             text        NOT NULL,
    available_change bigint      NOT NULL,
    held_change      bigint      NOT NULL,
    room_change      bigint      NOT NULL,
    owed_change      bigint      NOT NULL,
    available_after  bigint      NOT NULL,
    held_after       bigint      NOT NULL,
    room_after       bigint      NOT NULL,
    owed_after       bigint      NOT NULL,
    clamped          bigint      NOT NULL,
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

-- Every answer that was given, a refusal too, under the caller's key: only ever added to.
CREATE TABLE mutations (
    caller          text        COLLATE "C" NOT NULL,
    idempotency_key text        COLLATE "C" NOT NULL,
    method          text        NOT NULL,
    fingerprint     bytea       NOT NULL,
    fields          text        NOT NULL,
    outcome         text        NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (caller, idempotency_key)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: its rows are only ever added', TG_OP, TG_TABLE_NAME;
END
$$;

CREATE TRIGGER entries_are_only_added BEFORE UPDATE OR DELETE ON entries
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entries_are_not_truncated BEFORE TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER mutations_are_only_added BEFORE UPDATE OR DELETE ON mutations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER mutations_are_not_truncated BEFORE TRUNCATE ON mutations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
