-- SQLite's tables kept their rows sorted by key, and now keep them in the order in which they come. PostgreSQL has always done so: there is nothing to do.
SELECT 1;
