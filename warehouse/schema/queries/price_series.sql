SELECT price_kind, provider, day, min(min_usd_per_gpu_hour) AS cheapest_usd_per_gpu_hour,
    median(median_usd_per_gpu_hour) AS median_usd_per_gpu_hour, sum(offers)::INTEGER AS offers, 1 AS providers
FROM price_days
WHERE list_has_all($parts::VARCHAR[], candidates) AND ($since::DATE IS NULL OR day >= $since::DATE)
    AND ($until::DATE IS NULL OR day <= $until::DATE)
    AND ($providers::VARCHAR[] IS NULL OR list_contains($providers, provider))
    AND ($kinds::VARCHAR[] IS NULL OR list_contains($kinds, price_kind))
GROUP BY price_kind, provider, day
ORDER BY price_kind, provider, day
