-- A batch is written by one statement: it must fail by itself where a row was not as it was loaded.

CREATE FUNCTION expect_rows(part text, expected bigint, written bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    IF written <> expected THEN
        RAISE EXCEPTION '% of % rows of % were as loaded', written, expected, part USING ERRCODE = 'AU001';
    END IF;
    RETURN written;
END
$$;
