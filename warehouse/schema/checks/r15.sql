-- R15, hold both: one natural key twice in a run with different prices. Equal prices are one offer said twice.
SELECT c.row_no, 'R15' AS rule, 'Q' AS level,
    format('the same offer is listed {} times in one run, at {:.6g} to {:.6g} {} per hour', d.times, d.low, d.high,
        c.currency) AS evidence
FROM cleaned AS c
JOIN (
    SELECT run_no, offer_id, count(*) AS times, min(price_per_hour)::DOUBLE AS low, max(price_per_hour)::DOUBLE AS high
    FROM cleaned WHERE NOT coalesce(no_gpu, false) AND price_per_hour IS NOT NULL
    GROUP BY run_no, offer_id HAVING count(*) > 1 AND min(price_per_hour) <> max(price_per_hour)
) AS d USING (run_no, offer_id)
