-- R18, bot wall: the answers together are under 30 % of their usual length (median of the last 7 good runs, of at least
-- three): a challenge page, or a page cut short. Challenge pages that say so are held in the spider already.
SELECT r.run_no, NULL::INTEGER AS row_no, 'R18' AS rule, 'B' AS level,
    format('the answers have {} bytes where the last good runs had {:.0f}', r.body_bytes, u.usual) AS evidence
FROM this_run AS r JOIN (
    SELECT g.run_no, median(b.body_bytes) AS usual
    FROM good_runs AS g JOIN run_bodies AS b ON b.run_no = g.good_no
    WHERE g.place <= 7 GROUP BY g.run_no HAVING count(*) >= 3
) AS u USING (run_no)
WHERE r.counts_rows AND r.body_bytes < 0.3 * u.usual
