-- A player's head is the newest entry. It was kept in the player's row too, which each posting wrote again for it.

-- Beside each balance: its newest entry, so that one that goes missing is missed. Nothing where the balance was written before this.
ALTER TABLE balances ADD COLUMN last_number bigint;
ALTER TABLE balances ADD COLUMN last_hash bytea;

ALTER TABLE players
    DROP COLUMN last_number,
    DROP COLUMN last_hash,
    DROP COLUMN last_time;

-- Rows of players are written no more but when a hold comes that lapses.
ALTER TABLE players SET (fillfactor = 90);
