-- A player's head is the newest entry. It was kept in the player's row too, which each posting wrote again for it.

-- Beside each balance: its newest entry, so that one that goes missing is missed. Nothing where the balance was written before this.
ALTER TABLE balances ADD COLUMN last_number INTEGER;
ALTER TABLE balances ADD COLUMN last_hash BLOB;

CREATE TABLE players_without_heads (
    player_id   TEXT    NOT NULL,
    -- No open hold of the player lapses before this.
    next_expiry INTEGER,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (player_id)
) STRICT, WITHOUT ROWID;
INSERT INTO players_without_heads SELECT player_id, next_expiry, created_at, updated_at FROM players;
DROP TABLE players;
ALTER TABLE players_without_heads RENAME TO players;
