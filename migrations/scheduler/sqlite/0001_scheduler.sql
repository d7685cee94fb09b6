-- The scheduler: jobs, their definitions, their firings, and what became of these. Times are microseconds since 1970.

-- One narrow row a job: what says when is in its definition. Whoever plans it counts `plan` up, by compare-and-set.
CREATE TABLE jobs (
    job_id      TEXT    NOT NULL,
    job_group   TEXT    NOT NULL,
    -- Tells it from jobs of the same name that were deleted.
    incarnation INTEGER NOT NULL,
    -- Which of its definitions is in force.
    revision    INTEGER NOT NULL,
    paused      INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    plan        INTEGER NOT NULL,
    -- The first of its times that is not planned; nothing when there is none.
    next_at     INTEGER,
    -- When to look at it: its next time, but never a time before it was written. Whoever has seen all up to some time need not look there again.
    wake_at     INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (job_id),
    CHECK (incarnation >= 0 AND revision >= 1 AND version >= 1 AND plan >= 1)
) STRICT, WITHOUT ROWID;

CREATE INDEX jobs_to_plan ON jobs (wake_at) WHERE paused = 0 AND next_at IS NOT NULL;
CREATE INDEX jobs_of_group ON jobs (job_group, job_id);
CREATE INDEX jobs_ended ON jobs (wake_at) WHERE next_at IS NULL;

-- What a job says, never changed: all attempts of a firing do what the revision says that it was made under.
CREATE TABLE definitions (
    job_id      TEXT    NOT NULL,
    incarnation INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    spec        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (job_id, incarnation, revision)
) STRICT, WITHOUT ROWID;

CREATE INDEX definitions_by_time ON definitions (created_at);

-- Firings that are due, or leased, or soon will be.
CREATE TABLE firings (
    job_id        TEXT    NOT NULL,
    scheduled_for INTEGER NOT NULL,
    incarnation   INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    target        TEXT    NOT NULL,
    -- `allow`, `skip`, `queue_one`: what becomes of it beside others of its job.
    overlap       TEXT    NOT NULL,
    triggered     INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,
    -- When it may be leased: when it is due, or when its lease has run out. Never a time before it was written.
    ready_at      INTEGER NOT NULL,
    -- The number of the lease; whoever has an older one is refused.
    fence         INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    -- Which copy has it; nothing when none has.
    copy          TEXT,
    started_at    INTEGER,
    message       TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (job_id, scheduled_for, incarnation)
) STRICT, WITHOUT ROWID;

CREATE INDEX firings_ready ON firings (ready_at) WHERE overlap = 'allow';
CREATE INDEX firings_ready_alone ON firings (ready_at) WHERE overlap <> 'allow';

-- Firings that are due later than soon: put off by jitter, or to be tried again.
CREATE TABLE waiting (
    job_id        TEXT    NOT NULL,
    scheduled_for INTEGER NOT NULL,
    incarnation   INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    target        TEXT    NOT NULL,
    overlap       TEXT    NOT NULL,
    triggered     INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,
    fence         INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    started_at    INTEGER,
    message       TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (job_id, scheduled_for, incarnation)
) STRICT, WITHOUT ROWID;

CREATE INDEX waiting_by_time ON waiting (due_at);

-- Firings that failed for good, until an operator replays or discards them.
CREATE TABLE dead_letters (
    job_id        TEXT    NOT NULL,
    scheduled_for INTEGER NOT NULL,
    incarnation   INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    target        TEXT    NOT NULL,
    overlap       TEXT    NOT NULL,
    triggered     INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,
    fence         INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    started_at    INTEGER,
    ended_at      INTEGER NOT NULL,
    reason        TEXT    NOT NULL,
    message       TEXT    NOT NULL,
    PRIMARY KEY (job_id, scheduled_for, incarnation)
) STRICT, WITHOUT ROWID;

CREATE INDEX dead_letters_by_time ON dead_letters (scheduled_for, job_id, incarnation);

-- Firings that came to their end: only ever added to, and pruned by age.
CREATE TABLE history (
    job_id        TEXT    NOT NULL,
    scheduled_for INTEGER NOT NULL,
    incarnation   INTEGER NOT NULL,
    state         TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    message       TEXT    NOT NULL,
    attempts      INTEGER NOT NULL,
    triggered     INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,
    started_at    INTEGER,
    ended_at      INTEGER NOT NULL,
    -- Of skipped ones: the last that this row stands for, and how many these are.
    skipped_until INTEGER NOT NULL,
    firings       INTEGER NOT NULL,
    fence         INTEGER NOT NULL,
    PRIMARY KEY (job_id, scheduled_for, incarnation),
    CHECK (state IN ('done', 'skipped', 'discarded')),
    CHECK (firings >= 1)
) STRICT, WITHOUT ROWID;

CREATE INDEX history_by_time ON history (ended_at);

-- The answer of every keyed mutation, kept for ever.
CREATE TABLE mutations (
    caller          TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    method          TEXT    NOT NULL,
    fingerprint     BLOB    NOT NULL,
    fields          TEXT    NOT NULL,
    outcome         TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (caller, idempotency_key),
    CHECK (length(fingerprint) = 32)
) STRICT, WITHOUT ROWID;

-- What the scheduler's own handler `record` was told, once by key.
CREATE TABLE recorded (
    firing_key  TEXT    NOT NULL,
    job_id      TEXT    NOT NULL,
    payload     BLOB    NOT NULL,
    recorded_at INTEGER NOT NULL,
    PRIMARY KEY (firing_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX recorded_by_time ON recorded (recorded_at);
