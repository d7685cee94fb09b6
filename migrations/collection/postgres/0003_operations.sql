-- Two-phase operations: the log of this service as a coordinator (shared/twophase).

-- Every key that was used, and its newest attempt. Kept for ever.
CREATE TABLE operation_keys (
    caller          text        COLLATE "C" NOT NULL,
    idempotency_key text        COLLATE "C" NOT NULL,
    fingerprint     bytea       NOT NULL,
    fields          text        NOT NULL,
    player_id       text        COLLATE "C" NOT NULL,
    operation_id    text        COLLATE "C" NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (caller, idempotency_key)
);

-- Every operation, its inputs and its decision. Kept for ever.
CREATE TABLE operations (
    player_id       text        COLLATE "C" NOT NULL,
    operation_id    text        COLLATE "C" NOT NULL,
    caller          text        COLLATE "C" NOT NULL,
    idempotency_key text        COLLATE "C" NOT NULL,
    attempt         bigint      NOT NULL,
    state           text        COLLATE "C" NOT NULL,
    -- What participants are told follows from this alone.
    plan            text        NOT NULL,
    decision        text        COLLATE "C" NOT NULL,
    outcome         text        NOT NULL,
    begun_at        timestamptz NOT NULL,
    decided_at      timestamptz,
    done_at         timestamptz,
    -- The number of the lease; whoever has an older one is refused.
    fence           bigint      NOT NULL,
    -- When anybody may take it up: one that dies needs nobody to clean up behind it.
    due_at          timestamptz NOT NULL,
    recoveries      bigint      NOT NULL,
    last_error      text        NOT NULL,
    PRIMARY KEY (player_id, operation_id),
    CHECK (state IN ('preparing', 'committing', 'aborting', 'committed', 'aborted')),
    CHECK (decision IN ('', 'commit', 'refuse', 'give_up')),
    CHECK ((state = 'preparing') = (decision = '')),
    CHECK ((state IN ('committing', 'committed')) = (decision = 'commit')),
    CHECK ((state IN ('committed', 'aborted')) = (done_at IS NOT NULL))
) WITH (fillfactor = 70);

CREATE INDEX operations_due ON operations (due_at) WHERE done_at IS NULL;
CREATE INDEX operations_open ON operations (begun_at, operation_id) WHERE done_at IS NULL;

-- A decision is made once, whoever tries.
CREATE FUNCTION refuse_other_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.decision <> '' AND (NEW.decision <> OLD.decision OR NEW.outcome <> OLD.outcome) THEN
        RAISE EXCEPTION 'operation % is decided, and stays so', OLD.operation_id;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER operations_are_decided_once BEFORE UPDATE ON operations
    FOR EACH ROW EXECUTE FUNCTION refuse_other_decision();

CREATE TRIGGER operations_are_not_deleted BEFORE DELETE ON operations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER operations_are_not_truncated BEFORE TRUNCATE ON operations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER operation_keys_are_not_deleted BEFORE DELETE ON operation_keys
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER operation_keys_are_not_truncated BEFORE TRUNCATE ON operation_keys
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
