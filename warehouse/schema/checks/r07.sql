-- R7, the size of a run: against the median of the last 7 good whole runs (of at least 3), else against what
-- the spider expects. Partial runs and recordings are not judged. A marketplace is judged per accelerator,
-- where at least 10 machines were usual. Level B holds the run, W warns, and beyond 3x its new rows wait.
WITH now_counts AS (
    SELECT '' AS part, count(DISTINCT offer_id) AS offers FROM cleaned WHERE NOT coalesce(no_gpu, false)
    UNION ALL
    SELECT accelerator_id, count(DISTINCT offer_id) FROM cleaned
    WHERE NOT coalesce(no_gpu, false) AND accelerator_id IS NOT NULL GROUP BY accelerator_id
),
good AS (
    SELECT g.run_no FROM runs AS g, this_run AS r
    WHERE g.provider = r.provider AND g.state = 'good' AND NOT g.partial AND g.origin <> 'bundled'
        AND g.observed_at < r.observed_at AND g.sources_key = r.sources_key
    ORDER BY g.observed_at DESC LIMIT 7
),
parts AS (SELECT DISTINCT accelerator_id AS part FROM run_counts WHERE run_no IN (FROM good)),
usual AS (
    SELECT part, median(coalesce(k.offers, 0)) AS offers, count(*) AS runs
    FROM parts CROSS JOIN good LEFT JOIN run_counts AS k ON k.run_no = good.run_no AND k.accelerator_id = part
    GROUP BY part
),
judged AS (
    SELECT r.kind, p.part, coalesce(n.offers, 0) AS offers,
        CASE WHEN u.runs >= 3 THEN u.offers END AS usual, r.expected_low, r.expected_high
    FROM this_run AS r
    CROSS JOIN (SELECT part FROM now_counts UNION SELECT part FROM usual) AS p
    LEFT JOIN now_counts AS n USING (part) LEFT JOIN usual AS u USING (part)
    WHERE r.counts_rows
)
SELECT NULL::INTEGER AS row_no, 'R7' AS rule, CASE
    WHEN part = '' AND offers = 0 THEN 'B'
    WHEN part = '' AND kind <> 'marketplace' AND offers < 0.7 * coalesce(usual, expected_low) THEN 'B'
    WHEN part <> '' AND offers < 0.25 * usual THEN 'B'
    WHEN part = '' AND offers > 3 * usual THEN 'N'
    ELSE 'W' END AS level,
    CASE WHEN part = '' AND offers = 0 THEN 'the run holds no offer'
        WHEN usual IS NOT NULL THEN format('{} offers{} where the last good runs had {:g}', offers,
            CASE WHEN part = '' THEN '' ELSE ' of ' || part END, usual)
        ELSE format('{} offers where the spider expects {} to {}', offers, expected_low, expected_high) END AS evidence
FROM judged
WHERE (part = '' AND offers = 0)
    OR (part = '' AND kind <> 'marketplace' AND (offers < 0.9 * usual OR offers > 1.5 * usual))
    OR (part = '' AND usual IS NULL AND (offers < expected_low OR offers > 1.5 * expected_high))
    OR (part <> '' AND kind = 'marketplace' AND usual >= 10 AND offers < 0.5 * usual)
ORDER BY level, part
