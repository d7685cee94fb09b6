-- A hold names the key that made it and the key that ended it, which have the answers: they were kept a second time in the hold's row, which is
-- written twice. What never changes is one column.

DROP TRIGGER holds_are_not_deleted;
ALTER TABLE holds RENAME TO holds_with_answers;
DROP INDEX holds_open_of_player;

-- One row a hold, kept for ever; a tombstone (voided) has no legs.
CREATE TABLE holds (
    hold_id     TEXT    NOT NULL,
    -- The first of its players; the others are in hold_players.
    player_id   TEXT    NOT NULL,
    caller      TEXT    NOT NULL,
    made_under  TEXT    NOT NULL,
    -- Legs, whether it is whole, reason and context.
    terms       TEXT    NOT NULL,
    expires_at  INTEGER,
    state       TEXT    NOT NULL,
    -- The key that ended it; nothing where it is open, or lapsed.
    ended_by    TEXT,
    ended_under TEXT,
    -- What was taken of each leg, where it was not all of it.
    amounts     TEXT,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (hold_id)
) STRICT, WITHOUT ROWID;

INSERT INTO holds
SELECT stored.hold_id, stored.player_id, stored.caller, stored.made_under,
    json_object(
        'legs', json(stored.legs),
        'whole', json(iif(stored.whole, 'true', 'false')),
        'note', json_object('reason', stored.reason, 'context', json(coalesce(nullif(stored.context, ''), '{}')))
    ),
    stored.expires_at,
    stored.state,
    iif(stored.state = 'voided', stored.caller, ending.caller),
    iif(stored.state = 'voided', stored.made_under, ending.idempotency_key),
    stored.ended ->> 'amounts',
    stored.created_at,
    stored.updated_at
FROM holds_with_answers AS stored
-- An end that was answered moved something: its first entry names the key.
LEFT JOIN entries AS ending ON ending.player_id = stored.ended ->> '$.answer.movements[0].player'
    AND ending.number = stored.ended ->> '$.answer.movements[0].number';

-- Not one row less, and no end without its key, or the migration comes to nothing.
CREATE TABLE copied (
    rows_before INTEGER NOT NULL,
    rows_after  INTEGER NOT NULL,
    CHECK (rows_before = rows_after)
) STRICT;
INSERT INTO copied SELECT (SELECT count(*) FROM holds_with_answers), (SELECT count(*) FROM holds);
INSERT INTO copied SELECT
    (SELECT count(*) FROM holds_with_answers WHERE state IN ('committed', 'released', 'voided')),
    (SELECT count(*) FROM holds JOIN mutations ON mutations.caller = ended_by AND mutations.idempotency_key = ended_under);
DROP TABLE copied;
DROP TABLE holds_with_answers;

CREATE INDEX holds_open_of_player ON holds (player_id) WHERE state = 'held';

CREATE TRIGGER holds_are_not_deleted BEFORE DELETE ON holds
BEGIN SELECT RAISE(ABORT, 'DELETE of holds is refused: its rows are only ever added'); END;

-- Holds with what was asked and answered when each was made, and answered when it ended.
CREATE VIEW answered_holds AS
SELECT holds.*, making.fingerprint AS asked, making.outcome AS reserved, ending.outcome AS ended
FROM holds
LEFT JOIN mutations AS making ON making.caller = holds.caller AND making.idempotency_key = holds.made_under
LEFT JOIN mutations AS ending ON ending.caller = holds.ended_by AND ending.idempotency_key = holds.ended_under;
