SELECT family, provider, median(price_usd_per_gpu_hour) AS median, count(*) AS offers
FROM site_offers WHERE shown AND comparable AND price_kind = 'on_demand' AND family IS NOT NULL
GROUP BY family, provider ORDER BY family, median, provider
