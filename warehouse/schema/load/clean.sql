-- Meaning, set-wise: what was found out once per distinct shape, place, unit and currency day is joined here.
-- price_per_hour is native, net of tax, whole machine; it is rounded once, to ten decimals.
CREATE OR REPLACE TEMP TABLE cleaned AS
WITH priced AS (
    SELECT s.* EXCLUDE (shape_hash, place_hash, unit_hash),
        h.accelerator_id, h.candidates, h.family, h.partition, h.gpu_count, h.gpu_memory_gb, h.no_gpu,
        h.problem AS gpu_problem, p.country, p.continent, p.problem AS place_problem,
        u.problem AS unit_problem,
        CASE WHEN isfinite(s.price) AND s.price > 0 AND s.price < 1e12 THEN
            (s.price * u.factor + coalesce(s.upfront * u.upfront_factor, 0))
            * CASE WHEN u.per_gpu THEN h.gpu_count ELSE 1 END
        END AS hourly
    FROM staged AS s
    LEFT JOIN shapes AS h USING (shape_hash)
    LEFT JOIN places AS p USING (place_hash)
    LEFT JOIN units AS u USING (unit_hash)
)
SELECT c.* EXCLUDE (hourly),
    TRY_CAST(c.hourly AS DECIMAL(20, 10)) AS price_per_hour,
    f.usd_per_unit AS fx_rate, f.rate_date AS fx_date, f.is_early AS fx_early,
    TRY_CAST(c.hourly AS DECIMAL(20, 10))::DOUBLE * f.usd_per_unit AS price_usd_per_hour,
    TRY_CAST(c.hourly AS DECIMAL(20, 10))::DOUBLE * f.usd_per_unit / nullif(c.gpu_count, 0)
        AS price_usd_per_gpu_hour
FROM priced AS c
LEFT JOIN fx_days AS f ON f.currency = c.currency AND f.day = c.run_observed_at::DATE;
