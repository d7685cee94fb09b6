-- What a player proves pulls with: the seeds that went out of use, and the changes of seeds and paths under their keys.

-- Which pair of seeds is in use, and the number of the first summon that is drawn from it.
ALTER TABLE players ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
ALTER TABLE players ADD COLUMN first_nonce bigint NOT NULL DEFAULT 0;

-- The pair of seeds that it was drawn from.
ALTER TABLE pulls ADD COLUMN epoch bigint NOT NULL DEFAULT 0;

-- Every pair of seeds that went out of use. A server seed may be shown once it is not its player's any more: with another client seed it goes on.
CREATE TABLE seeds (
    player_id   text        COLLATE "C" NOT NULL,
    epoch       bigint      NOT NULL,
    server_seed bytea       NOT NULL,
    client_seed text        COLLATE "C" NOT NULL,
    first_nonce bigint      NOT NULL,
    next_nonce  bigint      NOT NULL,
    ended_at    timestamptz NOT NULL,
    PRIMARY KEY (player_id, epoch),
    CHECK (octet_length(server_seed) = 32),
    CHECK (next_nonce >= first_nonce)
);

-- Every keyed request besides summons, and its answer. Kept for ever.
CREATE TABLE mutations (
    caller          text        COLLATE "C" NOT NULL,
    idempotency_key text        COLLATE "C" NOT NULL,
    method          text        NOT NULL,
    fingerprint     bytea       NOT NULL,
    fields          text        NOT NULL,
    player_id       text        COLLATE "C" NOT NULL,
    answer          text        NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (caller, idempotency_key)
);

CREATE TRIGGER seeds_are_only_added BEFORE UPDATE OR DELETE ON seeds
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER seeds_are_not_truncated BEFORE TRUNCATE ON seeds
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER mutations_are_only_added BEFORE UPDATE OR DELETE ON mutations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER mutations_are_not_truncated BEFORE TRUNCATE ON mutations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
