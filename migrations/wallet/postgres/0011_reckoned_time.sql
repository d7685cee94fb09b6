-- A batch goes by the database's clock as it was told lately: what it writes must fail where the clock shows something else by then.

CREATE FUNCTION expect_time(reckoned timestamptz, tolerance interval) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    shown CONSTANT timestamptz := clock_timestamp();
BEGIN
    IF reckoned < shown - tolerance OR reckoned > shown + tolerance THEN
        RAISE EXCEPTION 'the clock shows %, not about %', shown, reckoned USING ERRCODE = 'AU001';
    END IF;
    RETURN shown;
END
$$;
