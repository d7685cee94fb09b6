-- PostgreSQL's clock is reckoned between two looks at it. SQLite has the process's own: there is nothing to do.
SELECT 1;
