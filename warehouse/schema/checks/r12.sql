-- R12, frozen page: the same bodies as before, to the byte. A list price may stand for 45 days (then W); a marketplace
-- that says the same in more than three runs is not looking at its market any more: B.
WITH same AS (
    SELECT r.run_no, r.kind, r.observed_at, count(*) AS runs, min(k.observed_at) AS since
    FROM this_run AS r JOIN run_bodies AS b ON b.provider = r.provider AND b.body_digest = r.body_digest
    JOIN runs AS k ON k.run_no = b.run_no AND k.observed_at < r.observed_at
    WHERE r.counts_rows AND k.observed_at > coalesce((
        SELECT max(o.observed_at) FROM runs AS o JOIN run_bodies AS d ON d.run_no = o.run_no
        WHERE o.provider = r.provider AND o.observed_at < r.observed_at AND d.body_digest <> r.body_digest), '1970-01-01')
    GROUP BY ALL
)
SELECT run_no, NULL::INTEGER AS row_no, 'R12' AS rule, CASE WHEN kind = 'marketplace' THEN 'B' ELSE 'W' END AS level,
    format('the same answer to the byte in {} runs, since {}', runs + 1, strftime(since, '%Y-%m-%d')) AS evidence
FROM same
WHERE (kind = 'marketplace' AND runs >= 3) OR (kind <> 'marketplace' AND since < observed_at - INTERVAL 45 DAY)
