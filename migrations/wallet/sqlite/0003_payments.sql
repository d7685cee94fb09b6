-- Payments for real money, what was told of them, and the retail tokens that they are good for.

-- The newest period that a payment set a credit pool for; 0 for none.
ALTER TABLE balances ADD COLUMN period INTEGER NOT NULL DEFAULT 0;

-- One row a payment: all that is known of it, and what followed so far.
CREATE TABLE payments (
    provider   TEXT    NOT NULL,
    object_id  TEXT    NOT NULL,
    player_id  TEXT    NOT NULL,
    known      TEXT    NOT NULL,
    parts      TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (provider, object_id)
) STRICT, WITHOUT ROWID;

-- What was told, and the mutation that acted on it: only ever added to.
CREATE TABLE payment_events (
    provider        TEXT    NOT NULL,
    event_id        TEXT    NOT NULL,
    object_id       TEXT    NOT NULL,
    player_id       TEXT    NOT NULL,
    kind            TEXT    NOT NULL,
    caller          TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (provider, event_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX payment_events_of_payment ON payment_events (provider, object_id);

-- What lets a player generate something once, and what was generated.
CREATE TABLE retail_tokens (
    token           TEXT    NOT NULL,
    player_id       TEXT    NOT NULL,
    -- The payment that it was issued for; empty when an operator issued it.
    provider        TEXT    NOT NULL,
    object_id       TEXT    NOT NULL,
    caller          TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    reason          TEXT    NOT NULL,
    context         TEXT    NOT NULL,
    -- What was generated; nothing while it is unused.
    used            TEXT,
    version         INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    PRIMARY KEY (token)
) STRICT, WITHOUT ROWID;

-- A payment is good for one token.
CREATE UNIQUE INDEX retail_tokens_of_payment ON retail_tokens (provider, object_id) WHERE provider <> '';
CREATE INDEX retail_tokens_used ON retail_tokens (token) WHERE used IS NOT NULL;
CREATE INDEX retail_tokens_used_of_player ON retail_tokens (player_id, token) WHERE used IS NOT NULL;

CREATE TRIGGER payment_events_are_not_updated BEFORE UPDATE ON payment_events
BEGIN SELECT RAISE(ABORT, 'UPDATE of payment_events is refused: its rows are only ever added'); END;
CREATE TRIGGER payment_events_are_not_deleted BEFORE DELETE ON payment_events
BEGIN SELECT RAISE(ABORT, 'DELETE of payment_events is refused: its rows are only ever added'); END;
CREATE TRIGGER payments_are_not_deleted BEFORE DELETE ON payments
BEGIN SELECT RAISE(ABORT, 'DELETE of payments is refused: its rows are only ever added'); END;
CREATE TRIGGER retail_tokens_are_not_deleted BEFORE DELETE ON retail_tokens
BEGIN SELECT RAISE(ABORT, 'DELETE of retail_tokens is refused: its rows are only ever added'); END;
