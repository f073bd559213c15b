-- One row per run and state it lists, from raw_listings. accepted: the row counts where its run does
-- (runs.state good or partial): it is sound, its source was not held or failed, or it was decided so.
CREATE VIEW raw_sightings AS
WITH stretches AS (
    SELECT g.*, s.crawler, s.source, lead(g.run_no) OVER (PARTITION BY g.state_no ORDER BY g.run_no) AS until_no
    FROM raw_listings AS g JOIN raw_states AS s USING (state_no)
),
listing AS (SELECT DISTINCT b.run_no, p.crawler FROM raw_bodies AS b JOIN raw_places AS p USING (place_no)),
decided AS (
    SELECT run_no, state_no, arg_max(accepted, decided_at) AS accepted FROM raw_decisions GROUP BY run_no, state_no
)
SELECT l.run_no, t.state_no, t.place_no, coalesce(d.accepted, t.sound AND c.run_no IS NULL) AS accepted
FROM stretches AS t
JOIN listing AS l ON l.crawler = t.crawler AND l.run_no >= t.run_no AND (t.until_no IS NULL OR l.run_no < t.until_no)
LEFT JOIN run_sources AS c ON c.run_no = l.run_no AND c.source = t.source AND c.state IN ('held', 'failed')
LEFT JOIN decided AS d ON d.run_no = l.run_no AND d.state_no = t.state_no
WHERE t.listed;
