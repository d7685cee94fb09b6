-- The events of a batch with holds are longer than 2 KB, and were cut into pieces for a second table and its index.
ALTER TABLE outbox SET (toast_tuple_target = 8160);
