-- R7, the size of a run: against the median of the last 7 good whole runs (of at least 3), else against what
-- the spider expects. Partial runs and recordings are not judged. A marketplace is judged per accelerator,
-- where at least 10 machines were usual. Level B holds the run, W warns, and beyond 3x its new rows wait.
WITH now_counts AS (
    SELECT run_no, '' AS part, count(DISTINCT offer_id) AS offers FROM cleaned WHERE NOT coalesce(no_gpu, false) GROUP BY run_no
    UNION ALL
    SELECT run_no, accelerator_id, count(DISTINCT offer_id) FROM cleaned
    WHERE NOT coalesce(no_gpu, false) AND accelerator_id IS NOT NULL GROUP BY run_no, accelerator_id
),
good AS (SELECT run_no, good_no FROM good_runs WHERE place <= 7),
counts AS (
    SELECT g.run_no, g.good_no, k.accelerator_id AS part, k.offers
    FROM good AS g JOIN run_counts AS k ON k.run_no = g.good_no
),
usual AS (
    SELECT p.run_no, p.part, median(coalesce(k.offers, 0)) AS offers, count(*) AS runs
    FROM (SELECT DISTINCT run_no, part FROM counts) AS p JOIN good AS g USING (run_no)
    LEFT JOIN counts AS k ON k.run_no = p.run_no AND k.good_no = g.good_no AND k.part = p.part
    GROUP BY ALL
),
judged AS (
    SELECT r.run_no, r.kind, p.part, coalesce(n.offers, 0) AS offers,
        CASE WHEN u.runs >= 3 THEN u.offers END AS usual, r.expected_low, r.expected_high
    FROM this_run AS r
    JOIN (SELECT run_no, part FROM now_counts UNION SELECT run_no, part FROM usual UNION SELECT run_no, '' FROM this_run) AS p
        USING (run_no)
    LEFT JOIN now_counts AS n USING (run_no, part) LEFT JOIN usual AS u USING (run_no, part)
    WHERE r.counts_rows
)
SELECT run_no, NULL::INTEGER AS row_no, 'R7' AS rule, CASE
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
ORDER BY run_no, level, part
