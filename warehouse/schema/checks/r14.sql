-- R14, order. Spot is not dearer than on demand, three years not dearer than one, one not dearer than on demand (each
-- of the same machine and place): equal or a little above is told, beyond 1.5x it is held. And a machine of many GPUs costs about as
-- much per GPU as the smallest one of its part: outside 0.8-1.3 W; where it is off by its own number of GPUs (one
-- feed mixes prices per GPU and per machine) it is held.
WITH sold AS (
    SELECT row_no, run_no, provider, source, accelerator_id, coalesce(instance_type, '') AS machine, gpu_count, coalesce(region, '') AS region,
        currency, price_kind, coalesce(term_months, 0) AS term, price_usd_per_hour AS usd, price_usd_per_gpu_hour AS gpu_usd
    FROM cleaned
    WHERE accelerator_id IS NOT NULL AND partition IS NULL AND price_usd_per_gpu_hour > 0 AND NOT is_floor
        AND effective_from IS NULL AND NOT coalesce(no_gpu, false) AND kind <> 'marketplace'
),
ways AS (
    SELECT run_no, provider, accelerator_id, machine, gpu_count, region, currency,
        min(usd) FILTER (price_kind = 'on_demand') AS on_demand,
        min(usd) FILTER (price_kind IN ('reserved', 'savings_plan') AND term = 12) AS one_year
    FROM sold WHERE price_kind IN ('on_demand', 'reserved', 'savings_plan') GROUP BY ALL
),
ordered AS (
    SELECT s.row_no, s.price_kind, s.term, s.usd, w.on_demand, w.one_year,
        CASE WHEN s.price_kind IN ('spot', 'low_priority') THEN s.usd / w.on_demand
            WHEN s.term >= 36 AND w.one_year IS NOT NULL THEN s.usd / w.one_year
            ELSE s.usd / w.on_demand END AS ratio,
        CASE WHEN s.price_kind NOT IN ('spot', 'low_priority') AND s.term >= 36 AND w.one_year IS NOT NULL
            THEN 'one year' ELSE 'on demand' END AS beside
    FROM sold AS s JOIN ways AS w USING (run_no, provider, accelerator_id, machine, gpu_count, region, currency)
    WHERE s.price_kind IN ('spot', 'low_priority') OR (s.price_kind IN ('reserved', 'savings_plan') AND s.term >= 12)
),
by_count AS (
    SELECT run_no, provider, source, accelerator_id, region, currency, price_kind, term, gpu_count, median(gpu_usd) AS gpu_usd
    FROM sold GROUP BY ALL
),
smallest AS (
    SELECT run_no, provider, source, accelerator_id, region, currency, price_kind, term, min(gpu_count) AS gpu_count,
        arg_min(gpu_usd, gpu_count) AS gpu_usd
    FROM by_count GROUP BY ALL HAVING max(gpu_count) > min(gpu_count)
),
nodes AS (
    SELECT s.row_no, s.gpu_count, s.gpu_usd, b.gpu_count AS base_count, b.gpu_usd AS base_usd, s.gpu_usd / b.gpu_usd AS ratio,
        s.gpu_count / b.gpu_count AS times
    FROM sold AS s JOIN smallest AS b USING (run_no, provider, source, accelerator_id, region, currency, price_kind, term)
    WHERE s.gpu_count > b.gpu_count
)
SELECT row_no, 'R14' AS rule, CASE WHEN ratio > 1.5 THEN 'Q' ELSE 'W' END AS level,
    format('{} at {:.6g} USD per hour where {} costs {:.6g}', replace(price_kind, '_', ' ') || CASE WHEN term > 0
        THEN format(' {} months', term) ELSE '' END, usd, beside, usd / ratio) AS evidence
FROM ordered WHERE ratio > 1.02 OR (price_kind = 'spot' AND ratio > 0.995)
UNION ALL
SELECT row_no, 'R14', CASE WHEN times >= 4 AND (abs(ln(ratio / times)) <= ln(1.1) OR abs(ln(ratio * times)) <= ln(1.1)) THEN 'Q'
        ELSE 'W' END,
    format('{:.4g} USD per GPU-hour with {:g} GPUs, {:.4g} with {:g}: {:.3g}x', gpu_usd, gpu_count, base_usd, base_count, ratio)
FROM nodes WHERE ratio NOT BETWEEN 0.8 AND 1.3
