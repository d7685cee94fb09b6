-- The inbox: every event that a provider was told is kept, and what became of it.

-- Timeouts belong to the database, not to a session: they hold behind a pooler too.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = ''5s''', current_database());
    EXECUTE format('ALTER DATABASE %I SET lock_timeout = ''2s''', current_database());
    EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''10s''', current_database());
    EXECUTE format('ALTER DATABASE %I SET tcp_keepalives_idle = 10', current_database());
    EXECUTE format('ALTER DATABASE %I SET tcp_keepalives_interval = 5', current_database());
    EXECUTE format('ALTER DATABASE %I SET tcp_keepalives_count = 3', current_database());
END
$$;

CREATE TABLE events (
    provider    text        COLLATE "C" NOT NULL,
    event_id    text        COLLATE "C" NOT NULL,
    -- As it came, byte by byte: what the signature was made over.
    body        bytea       NOT NULL,
    -- The W3C trace context that it came with, so that applying it later goes on with the trace.
    traceparent text        NOT NULL,
    state       text        COLLATE "C" NOT NULL,
    reason      text        COLLATE "C" NOT NULL DEFAULT '',
    detail      text        NOT NULL DEFAULT '',
    -- Known once the event was understood.
    object_id   text        COLLATE "C",
    player_id   text        COLLATE "C",
    -- What the wallet is told, kept before it is told: every attempt sends the same.
    payment     text,
    -- Whether the payment says what its object is, so that a refund of the object can be understood.
    is_sale     boolean     NOT NULL DEFAULT false,
    attempts    integer     NOT NULL DEFAULT 0,
    -- Whoever leases the event moves it into the future: one that dies needs nobody to clean up behind it.
    due_at      timestamptz NOT NULL,
    -- The number of the lease; whoever has an older one is refused.
    fence       bigint      NOT NULL DEFAULT 0,
    received_at timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (provider, event_id),
    CHECK (state IN ('received', 'applied', 'ignored', 'parked')),
    CHECK (octet_length(body) <= 262144)
);

CREATE INDEX events_due ON events (due_at) WHERE state = 'received';
CREATE INDEX events_parked ON events (reason, received_at) WHERE state = 'parked';
CREATE INDEX events_by_time ON events (received_at, provider, event_id);
CREATE INDEX events_sales ON events (provider, object_id) WHERE is_sale;
