-- The scheduler: jobs, their definitions, their firings, and what became of these.

-- Timeouts belong to the database, not to a session: they hold behind a pooler too.
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

-- One narrow row a job: what says when is in its definition. Whoever plans it counts `plan` up, by compare-and-set.
CREATE TABLE jobs (
    job_id      text        COLLATE "C" NOT NULL,
    job_group   text        COLLATE "C" NOT NULL,
    -- Tells it from jobs of the same name that were deleted.
    incarnation bigint      NOT NULL,
    -- Which of its definitions is in force.
    revision    bigint      NOT NULL,
    paused      boolean     NOT NULL,
    version     bigint      NOT NULL,
    plan        bigint      NOT NULL,
    -- The first of its times that is not planned; nothing when there is none.
    next_at     timestamptz,
    -- When to look at it: its next time, but never a time before it was written. Whoever has seen all up to some time need not look there again.
    wake_at     timestamptz NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (job_id),
    CHECK (incarnation >= 0 AND revision >= 1 AND version >= 1 AND plan >= 1)
) WITH (fillfactor = 70);

CREATE INDEX jobs_to_plan ON jobs (wake_at) WHERE NOT paused AND next_at IS NOT NULL;
CREATE INDEX jobs_of_group ON jobs (job_group, job_id);
CREATE INDEX jobs_ended ON jobs (wake_at) WHERE next_at IS NULL;

-- What a job says, never changed: all attempts of a firing do what the revision says that it was made under.
CREATE TABLE definitions (
    job_id      text        COLLATE "C" NOT NULL,
    incarnation bigint      NOT NULL,
    revision    bigint      NOT NULL,
    spec        text        NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (job_id, incarnation, revision)
);

CREATE INDEX definitions_by_time ON definitions (created_at);

-- Firings that are due, or leased, or soon will be. Rows come and go by the million: each part holds those of some seconds, and is truncated once it
-- is empty, so that a reader who stays for hours leaves nothing behind in it.
CREATE TABLE firings (
    slot          smallint    NOT NULL,
    job_id        text        COLLATE "C" NOT NULL,
    scheduled_for timestamptz NOT NULL,
    incarnation   bigint      NOT NULL,
    revision      bigint      NOT NULL,
    target        text        COLLATE "C" NOT NULL,
    -- `allow`, `skip`, `queue_one`: what becomes of it beside others of its job.
    overlap       text        COLLATE "C" NOT NULL,
    triggered     boolean     NOT NULL,
    due_at        timestamptz NOT NULL,
    -- When it may be leased: when it is due, or when its lease has run out. Never a time before it was written.
    ready_at      timestamptz NOT NULL,
    -- The number of the lease; whoever has an older one is refused.
    fence         bigint      NOT NULL,
    attempts      integer     NOT NULL,
    -- Which copy has it; nothing when none has.
    copy          text        COLLATE "C",
    started_at    timestamptz,
    message       text        NOT NULL DEFAULT '',
    PRIMARY KEY (job_id, scheduled_for, incarnation, slot)
) PARTITION BY LIST (slot);

DO $$
BEGIN
    FOR slot IN 0..11 LOOP
        EXECUTE format('CREATE TABLE firings_%s PARTITION OF firings FOR VALUES IN (%s)', slot, slot);
    END LOOP;
END
$$;

CREATE INDEX firings_ready ON firings (ready_at) WHERE overlap = 'allow';
CREATE INDEX firings_ready_alone ON firings (ready_at) WHERE overlap <> 'allow';

-- Firings that are due later than a part of the table above may wait: put off by jitter, or to be tried again.
CREATE TABLE waiting (
    job_id        text        COLLATE "C" NOT NULL,
    scheduled_for timestamptz NOT NULL,
    incarnation   bigint      NOT NULL,
    revision      bigint      NOT NULL,
    target        text        COLLATE "C" NOT NULL,
    overlap       text        COLLATE "C" NOT NULL,
    triggered     boolean     NOT NULL,
    due_at        timestamptz NOT NULL,
    fence         bigint      NOT NULL,
    attempts      integer     NOT NULL,
    started_at    timestamptz,
    message       text        NOT NULL DEFAULT '',
    PRIMARY KEY (job_id, scheduled_for, incarnation)
);

CREATE INDEX waiting_by_time ON waiting (due_at);

-- Firings that failed for good, until an operator replays or discards them.
CREATE TABLE dead_letters (
    job_id        text        COLLATE "C" NOT NULL,
    scheduled_for timestamptz NOT NULL,
    incarnation   bigint      NOT NULL,
    revision      bigint      NOT NULL,
    target        text        COLLATE "C" NOT NULL,
    overlap       text        COLLATE "C" NOT NULL,
    triggered     boolean     NOT NULL,
    due_at        timestamptz NOT NULL,
    fence         bigint      NOT NULL,
    attempts      integer     NOT NULL,
    started_at    timestamptz,
    ended_at      timestamptz NOT NULL,
    reason        text        COLLATE "C" NOT NULL,
    message       text        NOT NULL,
    PRIMARY KEY (job_id, scheduled_for, incarnation)
);

CREATE INDEX dead_letters_by_time ON dead_letters (scheduled_for, job_id, incarnation);

-- Firings that came to their end: only ever added to, and pruned by age.
CREATE TABLE history (
    job_id        text        COLLATE "C" NOT NULL,
    scheduled_for timestamptz NOT NULL,
    incarnation   bigint      NOT NULL,
    state         text        COLLATE "C" NOT NULL,
    reason        text        COLLATE "C" NOT NULL,
    message       text        NOT NULL,
    attempts      integer     NOT NULL,
    triggered     boolean     NOT NULL,
    due_at        timestamptz NOT NULL,
    started_at    timestamptz,
    ended_at      timestamptz NOT NULL,
    -- Of skipped ones: the last that this row stands for, and how many these are.
    skipped_until timestamptz NOT NULL,
    firings       bigint      NOT NULL,
    fence         bigint      NOT NULL,
    PRIMARY KEY (job_id, scheduled_for, incarnation),
    CHECK (state IN ('done', 'skipped', 'discarded')),
    CHECK (firings >= 1)
);

CREATE INDEX history_by_time ON history (ended_at);

-- The answer of every keyed mutation, kept for ever.
CREATE TABLE mutations (
    caller          text        COLLATE "C" NOT NULL,
    idempotency_key text        COLLATE "C" NOT NULL,
    method          text        NOT NULL,
    fingerprint     bytea       NOT NULL,
    fields          text        NOT NULL,
    outcome         text        NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (caller, idempotency_key),
    CHECK (octet_length(fingerprint) = 32)
);

-- What the scheduler's own handler `record` was told, once by key.
CREATE TABLE recorded (
    firing_key  text        COLLATE "C" NOT NULL,
    job_id      text        COLLATE "C" NOT NULL,
    payload     bytea       NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (firing_key)
);

CREATE INDEX recorded_by_time ON recorded (recorded_at);
