-- What happened, for others to follow: one row a batch that changed something.

-- A lane, and how far its numbers have come. They have no gap, and none comes late.
CREATE TABLE outbox_lanes (
    lane_id   INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    last_time INTEGER NOT NULL,
    PRIMARY KEY (lane_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    -- The order of the commits.
    position   INTEGER PRIMARY KEY,
    lane_id    INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    events     INTEGER NOT NULL,
    body       TEXT    NOT NULL,
    UNIQUE (lane_id, seq),
    CHECK (seq > 0 AND events > 0)
) STRICT;

CREATE TRIGGER outbox_counts_its_lane AFTER INSERT ON outbox
BEGIN
    INSERT INTO outbox_lanes (lane_id, last_seq, last_time)
    VALUES (new.lane_id, new.seq, new.created_at)
    ON CONFLICT (lane_id) DO UPDATE SET last_seq = excluded.last_seq, last_time = excluded.last_time;
END;
