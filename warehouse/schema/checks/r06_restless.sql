-- R6, made-up history: list prices do not move from one day to the next in 95-97 % of cases. Where more than half of
-- a list's known offers (at least eight) moved since yesterday, each by another factor, the series is suspected to be
-- computed, not read. It counts once the same prices are said twice more, which a computed series never does.
WITH stepped AS (
    SELECT c.row_no, c.run_no, c.source, c.price_per_hour <> p.price_per_hour AS has_moved,
        round(ln(c.price_per_hour::DOUBLE / p.price_per_hour::DOUBLE), 3) AS step
    FROM cleaned AS c JOIN previous AS p USING (offer_id)
    WHERE c.kind <> 'marketplace' AND c.price_kind = 'on_demand' AND c.price_per_hour > 0 AND p.price_per_hour > 0
        AND c.run_observed_at <= p.last_listed + INTERVAL 3 DAY AND NOT coalesce(c.no_gpu, false)
),
restless AS (
    SELECT run_no, source, count(*) AS offers, count(*) FILTER (has_moved) AS moved,
        count(DISTINCT step) FILTER (has_moved) AS steps
    FROM stepped GROUP BY ALL
    HAVING moved >= 8 AND moved > 0.5 * offers AND steps >= 0.5 * moved
)
SELECT s.row_no, 'R6' AS rule, 'Q2' AS level,
    format('{} of {} list prices of {} moved since the last run, by {} different factors: a computed series is suspected',
        r.moved, r.offers, s.source, r.steps) AS evidence
FROM restless AS r JOIN stepped AS s USING (run_no, source) WHERE s.has_moved
