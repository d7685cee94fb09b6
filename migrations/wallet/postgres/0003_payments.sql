-- Payments for real money, what was told of them, and the retail tokens that they are good for.

-- The newest period that a payment set a credit pool for; 0 for none. A constant default rewrites nothing.
ALTER TABLE balances ADD COLUMN period bigint NOT NULL DEFAULT 0;

-- One row a payment: all that is known of it, and what followed so far.
CREATE TABLE payments (
    provider   text        COLLATE "C" NOT NULL,
    object_id  text        COLLATE "C" NOT NULL,
    player_id  text        COLLATE "C" NOT NULL,
    known      text        NOT NULL,
    parts      text        NOT NULL,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (provider, object_id)
);

-- What was told, and the mutation that acted on it: only ever added to.
CREATE TABLE payment_events (
    provider        text        COLLATE "C" NOT NULL,
    event_id        text        COLLATE "C" NOT NULL,
    object_id       text        COLLATE "C" NOT NULL,
    player_id       text        COLLATE "C" NOT NULL,
    kind            text        NOT NULL,
    caller          text        COLLATE "C" NOT NULL,
    idempotency_key text        COLLATE "C" NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (provider, event_id)
);

CREATE INDEX payment_events_of_payment ON payment_events (provider, object_id);

-- What lets a player generate something once, and what was generated.
CREATE TABLE retail_tokens (
    token           text        COLLATE "C" NOT NULL,
    player_id       text        COLLATE "C" NOT NULL,
    -- The payment that it was issued for; empty when an operator issued it.
    provider        text        COLLATE "C" NOT NULL,
    object_id       text        COLLATE "C" NOT NULL,
    caller          text        COLLATE "C" NOT NULL,
    idempotency_key text        COLLATE "C" NOT NULL,
    reason          text        NOT NULL,
    context         text        NOT NULL,
    -- What was generated; nothing while it is unused.
    used            text,
    version         bigint      NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (token)
);

-- A payment is good for one token.
CREATE UNIQUE INDEX retail_tokens_of_payment ON retail_tokens (provider, object_id) WHERE provider <> '';
CREATE INDEX retail_tokens_used ON retail_tokens (token) WHERE used IS NOT NULL;
CREATE INDEX retail_tokens_used_of_player ON retail_tokens (player_id, token) WHERE used IS NOT NULL;

CREATE TRIGGER payment_events_are_only_added BEFORE UPDATE OR DELETE ON payment_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_events_are_not_truncated BEFORE TRUNCATE ON payment_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payments_are_not_deleted BEFORE DELETE ON payments
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payments_are_not_truncated BEFORE TRUNCATE ON payments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER retail_tokens_are_not_deleted BEFORE DELETE ON retail_tokens
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER retail_tokens_are_not_truncated BEFORE TRUNCATE ON retail_tokens
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
