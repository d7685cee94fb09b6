-- PostgreSQL cuts long rows into pieces, unless it is told not to. Here there is nothing to do.
SELECT 1;
