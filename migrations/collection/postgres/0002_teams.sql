-- Teams, equipment, and every answer that was given under a key.

-- Who is in the team, by place: a JSON object; absent places are empty.
ALTER TABLE players ADD COLUMN team text NOT NULL DEFAULT '{}';
ALTER TABLE players ADD COLUMN team_version bigint NOT NULL DEFAULT 0;
-- Pieces of equipment that the player has.
ALTER TABLE players ADD COLUMN equipment bigint NOT NULL DEFAULT 0;

-- One row a piece, kept for ever.
CREATE TABLE equipment (
    player_id    text        COLLATE "C" NOT NULL,
    equipment_id text        COLLATE "C" NOT NULL,
    kind_id      text        COLLATE "C" NOT NULL,
    -- Who wears it.
    esprit_id    text        COLLATE "C",
    version      bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (player_id, equipment_id),
    CHECK (version >= 1)
) WITH (fillfactor = 70);

-- Every answer that was given, a refusal too, under the caller's key: only ever added to.
CREATE TABLE mutations (
    caller          text        COLLATE "C" NOT NULL,
    idempotency_key text        COLLATE "C" NOT NULL,
    method          text        NOT NULL,
    fingerprint     bytea       NOT NULL,
    fields          text        NOT NULL,
    outcome         text        NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (caller, idempotency_key)
);

CREATE TRIGGER mutations_are_only_added BEFORE UPDATE OR DELETE ON mutations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER mutations_are_not_truncated BEFORE TRUNCATE ON mutations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER equipment_are_not_deleted BEFORE DELETE ON equipment
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER equipment_are_not_truncated BEFORE TRUNCATE ON equipment
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
