-- The market's level for each row: per provider the median of its days, then the median over the other providers,
-- where there are at least five (three were AWS, Google and Azure at times: not the market). Days within 30 days of
-- the run count, to both sides, so that an old recording is measured against its own month; for a live run nothing
-- lies ahead. Where that gives nothing, the newest 180 days do; where the price kind has no market of its own, on
-- demand has to do (tier 3, good for gross limits only). Dated lists without an hour (origin history) are not measured
-- against their own day: there is no before and after within it. A row with several candidates gets the lowest and
-- the highest of their medians; a price of one of up to three candidates counts for each of them.
-- low_seen and high_seen are the lowest and highest provider median of the part's whole family: a price near one of
-- those is corroborated, however far it lies from the middle (a V100 costs 0.2 USD at a marketplace and 3 USD at every
-- large cloud, with NVLink at one and on PCIe at the other).
CREATE OR REPLACE TEMP TABLE row_medians AS
WITH asked AS (
    SELECT DISTINCT r.run_no, r.observed_at::DATE AS day, r.origin, c.provider
    FROM this_run AS r JOIN (SELECT DISTINCT run_no, provider FROM cleaned) AS c USING (run_no)
),
span AS (SELECT min(day) - 180 AS first_day, max(day) + 30 AS last_day FROM asked),
days AS (
    SELECT * FROM (
        SELECT day, provider, unnest(candidates) AS accelerator_id, price_kind, median_usd_per_gpu_hour AS usd
        FROM {price_days}, span WHERE len(candidates) <= 3 AND day BETWEEN first_day AND last_day
    ) WHERE accelerator_id IN (SELECT DISTINCT unnest(candidates) FROM cleaned)
),
near AS (
    SELECT a.run_no, a.provider AS described, d.accelerator_id, d.price_kind, d.provider,
        median(d.usd) FILTER (d.day >= a.day - 30) AS near_usd, median(d.usd) AS usd
    FROM asked AS a JOIN days AS d ON d.provider <> a.provider AND d.day BETWEEN a.day - 180 AND a.day + 30
        AND (a.origin <> 'history' OR d.day <> a.day)
    GROUP BY ALL
),
market AS (
    SELECT run_no, described, accelerator_id, price_kind, 1 AS tier, median(near_usd) AS usd, min(near_usd) AS low_seen,
        max(near_usd) AS high_seen, count(near_usd) AS providers
    FROM near GROUP BY ALL HAVING count(near_usd) >= 5
    UNION ALL
    SELECT run_no, described, accelerator_id, price_kind, 2, median(usd), min(usd), max(usd), count(*)
    FROM near GROUP BY ALL HAVING count(*) >= 5 AND count(near_usd) < 5
),
family_seen AS (
    SELECT run_no, described, family, price_kind, min(usd) AS low_seen, max(usd) AS high_seen
    FROM (
        SELECT a.run_no, a.provider AS described, d.family, d.price_kind, d.provider,
            median(d.median_usd_per_gpu_hour) AS usd
        FROM asked AS a JOIN {price_days} AS d ON d.provider <> a.provider
            AND d.day BETWEEN a.day - 180 AND a.day + 30 AND (a.origin <> 'history' OR d.day <> a.day)
        WHERE d.family IN (SELECT DISTINCT family FROM cleaned)
        GROUP BY ALL
    ) GROUP BY ALL
),
questions AS (
    SELECT DISTINCT run_no, provider AS described, candidates, price_kind FROM cleaned
    WHERE len(candidates) > 0 AND NOT coalesce(no_gpu, false)
),
parts AS (SELECT *, unnest(candidates) AS accelerator_id FROM questions),
levels AS (
    SELECT q.run_no, q.described, q.candidates, q.price_kind, m.tier, m.usd, m.low_seen, m.high_seen, m.providers
    FROM parts AS q JOIN market AS m USING (run_no, described, accelerator_id, price_kind)
    UNION ALL
    SELECT q.run_no, q.described, q.candidates, q.price_kind, 3, m.usd, m.low_seen, m.high_seen, m.providers
    FROM parts AS q JOIN market AS m ON m.run_no = q.run_no AND m.described = q.described
        AND m.accelerator_id = q.accelerator_id AND m.price_kind = 'on_demand'
    WHERE q.price_kind <> 'on_demand' AND NOT EXISTS (
        FROM market AS k WHERE k.run_no = q.run_no AND k.described = q.described AND k.price_kind = q.price_kind
            AND list_contains(q.candidates, k.accelerator_id))
),
answers AS (
    SELECT run_no, described, candidates, price_kind, max(tier) AS tier, min(usd) AS low_median, max(usd) AS high_median,
        CASE WHEN len(candidates) = 1 AND max(tier) < 3 THEN min(usd) END AS mid_median, min(providers) AS providers,
        min(low_seen) AS low_seen, max(high_seen) AS high_seen
    FROM levels GROUP BY run_no, described, candidates, price_kind
)
SELECT c.row_no, a.tier, a.low_median, a.high_median, a.mid_median, a.providers,
    least(a.low_seen, f.low_seen) AS low_seen, greatest(a.high_seen, f.high_seen) AS high_seen
FROM cleaned AS c JOIN answers AS a ON a.run_no = c.run_no AND a.described = c.provider
    AND a.candidates = c.candidates AND a.price_kind = c.price_kind
LEFT JOIN family_seen AS f ON f.run_no = c.run_no AND f.described = c.provider AND f.family = c.family
    AND f.price_kind = c.price_kind;
