-- The inbox: every event that a provider was told is kept, and what became of it. Times are microseconds since 1970.

CREATE TABLE events (
    provider    TEXT    NOT NULL,
    event_id    TEXT    NOT NULL,
    -- As it came, byte by byte: what the signature was made over.
    body        BLOB    NOT NULL,
    -- The W3C trace context that it came with, so that applying it later goes on with the trace.
    traceparent TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('received', 'applied', 'ignored', 'parked')),
    reason      TEXT    NOT NULL DEFAULT '',
    detail      TEXT    NOT NULL DEFAULT '',
    -- Known once the event was understood.
    object_id   TEXT,
    player_id   TEXT,
    -- What the wallet is told, kept before it is told: every attempt sends the same.
    payment     TEXT,
    -- Whether the payment says what its object is, so that a refund of the object can be understood.
    is_sale     INTEGER NOT NULL DEFAULT 0,
    attempts    INTEGER NOT NULL DEFAULT 0,
    -- Whoever leases the event moves it into the future: one that dies needs nobody to clean up behind it.
    due_at      INTEGER NOT NULL,
    -- The number of the lease; whoever has an older one is refused.
    fence       INTEGER NOT NULL DEFAULT 0,
    received_at INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (provider, event_id),
    CHECK (length(body) <= 262144)
) STRICT, WITHOUT ROWID;

CREATE INDEX events_due ON events (due_at) WHERE state = 'received';
CREATE INDEX events_parked ON events (reason, received_at) WHERE state = 'parked';
CREATE INDEX events_by_time ON events (received_at, provider, event_id);
CREATE INDEX events_sales ON events (provider, object_id) WHERE is_sale = 1;
