-- Runs whose silence about an offer means something: good whole runs, per source; '*' is any source of the
-- provider (that is what ends a bundled row). Numbered in time, per provider and source.
CREATE OR REPLACE TEMP TABLE coverage AS
SELECT provider, source, observed_at,
    row_number() OVER (PARTITION BY provider, source ORDER BY observed_at)::INTEGER AS ordinal
FROM (
    SELECT DISTINCT c.provider, c.source, r.observed_at
    FROM run_sources AS c JOIN runs AS r USING (run_no)
    WHERE c.state = 'good' AND r.state = 'good' AND NOT r.partial AND r.origin <> 'bundled'
        AND c.provider IN (SELECT provider FROM this_run)
);
