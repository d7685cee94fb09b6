-- Teams, equipment, and every answer that was given under a key.

-- Who is in the team, by place: a JSON object; absent places are empty.
ALTER TABLE players ADD COLUMN team TEXT NOT NULL DEFAULT '{}';
ALTER TABLE players ADD COLUMN team_version INTEGER NOT NULL DEFAULT 0;
-- Pieces of equipment that the player has.
ALTER TABLE players ADD COLUMN equipment INTEGER NOT NULL DEFAULT 0;

-- One row a piece, kept for ever.
CREATE TABLE equipment (
    player_id    TEXT    NOT NULL,
    equipment_id TEXT    NOT NULL,
    kind_id      TEXT    NOT NULL,
    -- Who wears it.
    esprit_id    TEXT,
    version      INTEGER NOT NULL CHECK (version >= 1),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (player_id, equipment_id)
) STRICT, WITHOUT ROWID;

-- Every answer that was given, a refusal too, under the caller's key: only ever added to.
CREATE TABLE mutations (
    caller          TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    method          TEXT    NOT NULL,
    fingerprint     BLOB    NOT NULL,
    fields          TEXT    NOT NULL,
    outcome         TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (caller, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER mutations_are_not_updated BEFORE UPDATE ON mutations
BEGIN SELECT RAISE(ABORT, 'UPDATE of mutations is refused: its rows are kept for ever'); END;
CREATE TRIGGER mutations_are_not_deleted BEFORE DELETE ON mutations
BEGIN SELECT RAISE(ABORT, 'DELETE of mutations is refused: its rows are kept for ever'); END;
CREATE TRIGGER equipment_are_not_deleted BEFORE DELETE ON equipment
BEGIN SELECT RAISE(ABORT, 'DELETE of equipment is refused: its rows are kept for ever'); END;
