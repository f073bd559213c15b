-- R6 for rows of one kind: how many of a source's numbers moved by the same factor since they were last
-- accepted. {number} is the printed number, {unit} its unit, {units} the table of units; all ours.
WITH last AS (
    SELECT hash({key}) AS key_hash, arg_max(TRY_CAST(k.{number} AS DOUBLE) * {scale}, r.observed_at) AS before
    FROM (SELECT run_no AS seen_in, state_no FROM {sightings}) AS g JOIN {raw} AS k USING (state_no)
    JOIN (SELECT run_no AS seen_in, observed_at FROM runs) AS r USING (seen_in)
    JOIN {units} AS u USING ({unit})
    GROUP BY hash({key})
),
moved AS (
    SELECT n.source, round(TRY_CAST(n.{number} AS DOUBLE) * {scale} / before, 2) AS factor
    FROM (SELECT *, hash({key}) AS key_hash FROM read_parquet($file)) AS n
    JOIN {units} AS u USING ({unit}) JOIN last USING (key_hash)
    WHERE before > 0
),
counted AS (
    SELECT source, factor, count(*) AS rows, sum(count(*)) OVER (PARTITION BY source) AS all_rows
    FROM moved GROUP BY source, factor
)
SELECT format('{} of {} rows of {} changed by the factor {:g}', rows, all_rows, source, factor), factor
FROM counted
WHERE rows >= $fewest AND rows >= $share * all_rows AND (factor > $limit OR factor < 1 / $limit)
ORDER BY rows DESC
LIMIT 1
