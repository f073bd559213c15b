SELECT {columns}, round(age_hours, 3) AS age_hours,
       CASE WHEN tier < 2 AND coalesce(missing_runs, 0) > 0 THEN 'missing'
            ELSE CASE tier WHEN 0 THEN 'ok' WHEN 1 THEN 'aging' WHEN 2 THEN 'stale' ELSE 'expired' END END AS state
FROM site_offers
ORDER BY accelerator_id NULLS LAST, price_usd_per_gpu_hour NULLS LAST, provider, offer_id
