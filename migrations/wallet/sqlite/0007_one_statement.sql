-- PostgreSQL's batches are written by one statement, which needs a function there. Here there is nothing to do.
SELECT 1;
