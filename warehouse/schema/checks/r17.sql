-- R17, disappearance, per crawler and source: offers that good whole runs of it no longer list. Missing after one,
-- withdrawn after three in a row; partial, held and failed runs never count (run_sources has only good ones).
SELECT s.offer_id, s.crawler AS provider, 'R17' AS rule, 'W' AS level, count(*) AS missed_runs,
    min(r.observed_at) AS missing_since, max(r.observed_at) AS last_looked,
    CASE WHEN count(*) >= 3 THEN 'withdrawn' ELSE 'missing' END AS evidence
FROM core_spans AS s
JOIN run_sources AS c ON c.provider = s.crawler AND c.source = s.source AND c.state = 'good'
JOIN runs AS r ON r.run_no = c.run_no AND r.state = 'good' AND NOT r.partial AND r.origin <> 'bundled'
    AND r.observed_at > s.last_listed
WHERE s.valid_to IS NULL AND NOT s.bundled
GROUP BY s.offer_id, s.crawler
