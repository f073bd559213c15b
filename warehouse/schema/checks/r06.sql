-- R6, mass move: at least 20 % of a source's known offers (and at least two) changed by one factor, within 0.5 %, of
-- at least 2 %. Whatever moved in that source waits for the next run; confirmed, it is one repricing.
WITH moved AS (
    SELECT c.row_no, c.run_no, c.source, ln(c.price_per_hour::DOUBLE / p.price_per_hour::DOUBLE) AS step
    FROM cleaned AS c JOIN previous AS p USING (offer_id)
    WHERE c.price_per_hour <> p.price_per_hour AND c.price_per_hour > 0 AND p.price_per_hour > 0
        AND NOT coalesce(c.no_gpu, false)
),
known AS (
    SELECT c.run_no, c.source, count(*) AS offers FROM cleaned AS c JOIN previous AS p USING (offer_id)
    WHERE NOT coalesce(c.no_gpu, false) AND (c.run_no, c.source) IN (SELECT run_no, source FROM moved)
    GROUP BY ALL
),
company AS (
    SELECT run_no, source, step, count(*) OVER (PARTITION BY run_no, source ORDER BY step
        RANGE BETWEEN 0.005 PRECEDING AND 0.005 FOLLOWING) AS together
    FROM moved
),
largest AS (
    SELECT run_no, source, max(together) AS together, exp(arg_max(step, together)) AS factor
    FROM company WHERE abs(step) >= ln(1.02) GROUP BY ALL
)
SELECT m.row_no, 'R6' AS rule, 'Q1' AS level,
    format('{} of {} offers of {} moved by the same {:.4g}x', l.together, k.offers, m.source, l.factor) AS evidence
FROM largest AS l JOIN known AS k USING (run_no, source) JOIN moved AS m USING (run_no, source)
WHERE l.together >= 2 AND l.together >= 0.2 * k.offers
