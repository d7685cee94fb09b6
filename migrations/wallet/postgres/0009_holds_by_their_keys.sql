-- A hold names the key that made it and the key that ended it, which have the answers: they were kept a second time in the hold's row, which is
-- written twice. What never changes is one column.

ALTER TABLE holds RENAME TO holds_with_answers;
ALTER INDEX holds_pkey RENAME TO holds_with_answers_pkey;
DROP INDEX holds_open_of_player;

-- One row a hold, kept for ever; a tombstone (voided) has no legs.
CREATE TABLE holds (
    hold_id     text        COLLATE "C" NOT NULL,
    -- The first of its players; the others are in hold_players.
    player_id   text        COLLATE "C" NOT NULL,
    caller      text        COLLATE "C" NOT NULL,
    made_under  text        COLLATE "C" NOT NULL,
    -- Legs, whether it is whole, reason and context.
    terms       text        NOT NULL,
    expires_at  timestamptz,
    state       text        NOT NULL,
    -- The key that ended it; nothing where it is open, or lapsed.
    ended_by    text        COLLATE "C",
    ended_under text        COLLATE "C",
    -- What was taken of each leg, where it was not all of it.
    amounts     text,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (hold_id)
);

INSERT INTO holds
SELECT stored.hold_id, stored.player_id, stored.caller, stored.made_under,
    json_build_object(
        'legs', stored.legs::json,
        'whole', stored.whole,
        'note', json_build_object('reason', stored.reason, 'context', coalesce(nullif(stored.context, ''), '{}')::json)
    )::text,
    stored.expires_at,
    stored.state,
    CASE WHEN stored.state = 'voided' THEN stored.caller ELSE ending.caller END,
    CASE WHEN stored.state = 'voided' THEN stored.made_under ELSE ending.idempotency_key END,
    stored.ended::json ->> 'amounts',
    stored.created_at,
    stored.updated_at
FROM holds_with_answers AS stored
-- An end that was answered moved something: its first entry names the key.
LEFT JOIN entries AS ending ON ending.player_id = stored.ended::json #>> '{answer,movements,0,player}'
    AND ending.number = (stored.ended::json #>> '{answer,movements,0,number}')::bigint;

-- Not one row less, and no end without its key, or the migration comes to nothing.
SELECT expect_rows('holds', (SELECT count(*) FROM holds_with_answers), (SELECT count(*) FROM holds));
SELECT expect_rows('ends', (SELECT count(*) FROM holds_with_answers WHERE state IN ('committed', 'released', 'voided')), (
    SELECT count(*)
    FROM holds
    JOIN mutations ON mutations.caller = ended_by AND mutations.idempotency_key = ended_under
));

DROP TABLE holds_with_answers;

CREATE INDEX holds_open_of_player ON holds (player_id) WHERE state = 'held';

CREATE TRIGGER holds_are_not_deleted BEFORE DELETE ON holds
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER holds_are_not_truncated BEFORE TRUNCATE ON holds
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Holds with what was asked and answered when each was made, and answered when it ended.
CREATE VIEW answered_holds AS
SELECT holds.*, making.fingerprint AS asked, making.outcome AS reserved, ending.outcome AS ended
FROM holds
LEFT JOIN mutations AS making ON making.caller = holds.caller AND making.idempotency_key = holds.made_under
LEFT JOIN mutations AS ending ON ending.caller = holds.ended_by AND ending.idempotency_key = holds.ended_under;
