-- Open holds are looked for by their player or their name. This index served no query, and each hold paid for it.
DROP INDEX holds_open_of_caller;
