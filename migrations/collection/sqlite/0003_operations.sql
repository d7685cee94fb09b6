-- Two-phase operations: the log of this service as a coordinator (shared/twophase).

-- Every key that was used, and its newest attempt. Kept for ever.
CREATE TABLE operation_keys (
    caller TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    fields TEXT NOT NULL,
    player_id TEXT NOT NULL,
    operation_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (caller, idempotency_key)
) STRICT, WITHOUT ROWID;

-- Every operation, its inputs and its decision. Kept for ever.
CREATE TABLE operations (
    player_id TEXT NOT NULL,
    operation_id TEXT NOT NULL,
    caller TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    state TEXT NOT NULL,
    -- What participants are told follows from this alone.
    plan TEXT NOT NULL,
    decision TEXT NOT NULL,
    outcome TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    decided_at INTEGER,
    done_at INTEGER,
    -- The number of the lease; whoever has an older one is refused.
    fence INTEGER NOT NULL,
    -- When anybody may take it up: one that dies needs nobody to clean up behind it.
    due_at INTEGER NOT NULL,
    recoveries INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    PRIMARY KEY (player_id, operation_id),
    CHECK (state IN ('preparing', 'committing', 'aborting', 'committed', 'aborted')),
    CHECK (decision IN ('', 'commit', 'refuse', 'give_up')),
    CHECK ((state = 'preparing') = (decision = '')),
    CHECK ((state IN ('committing', 'committed')) = (decision = 'commit')),
    CHECK ((state IN ('committed', 'aborted')) = (done_at IS NOT NULL))
) STRICT;

CREATE INDEX operations_due ON operations (due_at) WHERE done_at IS NULL;
CREATE INDEX operations_open ON operations (begun_at, operation_id) WHERE done_at IS NULL;

-- A decision is made once, whoever tries.
CREATE TRIGGER operations_are_decided_once BEFORE UPDATE ON operations
WHEN OLD.decision <> '' AND (NEW.decision <> OLD.decision OR NEW.outcome <> OLD.outcome)
BEGIN SELECT RAISE(ABORT, 'the operation is decided, and stays so'); END;

CREATE TRIGGER operations_are_not_deleted BEFORE DELETE ON operations
BEGIN SELECT RAISE(ABORT, 'DELETE of operations is refused: its rows are kept for ever'); END;
CREATE TRIGGER operation_keys_are_not_deleted BEFORE DELETE ON operation_keys
BEGIN SELECT RAISE(ABORT, 'DELETE of operation_keys is refused: its rows are kept for ever'); END;
