-- R10, field coverage against the mean of the last 14 good runs (of at least three): 5 points less W, 20 points less
-- holds the run; in a run of fewer than ten rows, and on a marketplace, only where a field has gone from every row.
SELECT f.run_no, NULL::INTEGER AS row_no, 'R10' AS rule,
    CASE WHEN f.share < u.share - 0.2 AND ((f.n >= 10 AND r.kind <> 'marketplace') OR (f.share = 0 AND f.n >= 3 AND u.share > 0.9)) THEN 'B' ELSE 'W' END AS level,
    format('{} is stated in {:.0f} % of the rows where the last good runs had {:.0f} %', f.field, 100 * f.share, 100 * u.share)
        AS evidence
FROM field_shares AS f JOIN this_run AS r USING (run_no)
JOIN (
    SELECT g.run_no, k.field, avg(k.share) AS share
    FROM good_runs AS g JOIN run_fields AS k ON k.run_no = g.good_no
    GROUP BY ALL HAVING count(*) >= 3
) AS u USING (run_no, field)
WHERE r.counts_rows AND f.share < u.share - CASE WHEN r.kind = 'marketplace' THEN 0.2 ELSE 0.05 END
