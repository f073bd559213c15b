WITH said AS (
    SELECT * FROM site_offers
    WHERE available IS NOT NULL AND tier < 2 AND family IS NOT NULL AND comparable
      AND coalesce(missing_runs, 0) = 0)
SELECT family, count(DISTINCT provider) AS asked, count(DISTINCT provider) FILTER (available) AS free,
       arg_min(provider, price_usd_per_gpu_hour) FILTER (available AND price_kind = 'on_demand') AS provider,
       min(price_usd_per_gpu_hour) FILTER (available AND price_kind = 'on_demand') AS usd
FROM said GROUP BY family ORDER BY free DESC, asked DESC, family
