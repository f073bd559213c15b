-- R7 for rows of one kind: a whole run with far fewer rows than the whole good run before had.
WITH before AS (
    SELECT run_no FROM runs WHERE provider = $provider AND state = 'good' AND NOT partial ORDER BY run_no DESC LIMIT 1
),
sizes AS (
    SELECT (SELECT count(*) FROM {sightings} WHERE run_no IN (FROM before)) AS usual,
        (SELECT count(*) FROM read_parquet($file)) AS rows
)
SELECT format('{} rows where the last good run had {}', rows, usual) FROM sizes
WHERE usual >= $fewest AND rows < $share * usual
