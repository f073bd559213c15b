SELECT group_id, any_value(family) AS family, price_kind, provider,
       min(price_usd_per_gpu_hour) AS low, median(price_usd_per_gpu_hour) AS median,
       count(*) AS offers, min(age_hours) AS age_hours,
       arg_min(tier, price_usd_per_gpu_hour) AS tier
FROM site_offers WHERE shown AND comparable
GROUP BY group_id, price_kind, provider ORDER BY group_id, price_kind, median, provider
