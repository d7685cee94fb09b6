-- What happened, for others to follow: one row a batch that changed something.

-- A lane: whoever writes into it counts it up and holds it until the commit, so that its numbers have no gap and none comes late.
CREATE TABLE outbox_lanes (
    lane_id   smallint    NOT NULL,
    last_seq  bigint      NOT NULL,
    last_time timestamptz NOT NULL,
    PRIMARY KEY (lane_id)
) WITH (fillfactor = 20);

-- Taken by a batch while it holds its players: an order that keeps each player's own. It has gaps, and nobody waits for what is missing.
CREATE SEQUENCE outbox_positions;

CREATE TABLE outbox (
    lane_id    smallint    NOT NULL,
    seq        bigint      NOT NULL,
    position   bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    events     integer     NOT NULL,
    body       text        NOT NULL,
    PRIMARY KEY (lane_id, seq),
    CHECK (seq > 0 AND events > 0)
);

-- Read once or twice and then pruned: not worth packing.
ALTER TABLE outbox ALTER COLUMN body SET STORAGE EXTERNAL;
