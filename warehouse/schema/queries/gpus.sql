-- {hidden} is the condition under which an expired offer is not shown; it is ours.
SELECT a.*, coalesce(p.offers, 0) AS offers, coalesce(p.providers, 0) AS providers, p.min_usd_per_gpu_hour,
    p.median_usd_per_gpu_hour, p.max_usd_per_gpu_hour
FROM accelerators AS a
LEFT JOIN (
    SELECT accelerator_id, count(*) AS offers, count(DISTINCT provider) AS providers,
        min(price_usd_per_gpu_hour) FILTER (sound) AS min_usd_per_gpu_hour,
        median(price_usd_per_gpu_hour) FILTER (sound) AS median_usd_per_gpu_hour,
        max(price_usd_per_gpu_hour) FILTER (sound) AS max_usd_per_gpu_hour
    FROM (
        SELECT *, price_kind = 'on_demand' AND NOT is_floor AND partition IS NULL
            AND (effective_from IS NULL OR effective_from <= $today) AS sound
        FROM offers WHERE NOT ({hidden})
    )
    GROUP BY accelerator_id
) AS p USING (accelerator_id)
ORDER BY a.accelerator_id
