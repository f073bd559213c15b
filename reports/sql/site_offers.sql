CREATE OR REPLACE TEMP TABLE site_offers AS
WITH aged AS (
    SELECT {columns}, coalesce(outdated, false) AS outdated,
           greatest(0, ? - epoch(offers.observed_at)) / ? AS age_hours,
           (price_kind = 'spot' OR coalesce(kind, 'list') = 'marketplace') AS is_fast,
           coalesce(accelerator_id, array_to_string(list_sort(candidates), '|'), family, '') AS group_id,
           (NOT coalesce(is_floor, false) AND partition IS NULL AND price_usd_per_gpu_hour > 0
            AND (effective_from IS NULL OR effective_from <= ?)) AS comparable
    FROM offers),
tiered AS (
    SELECT *, CASE WHEN is_fast THEN (age_hours > ?)::INT + (age_hours > ?)::INT + (age_hours > ?)::INT
                   ELSE (age_hours > ?)::INT + (age_hours > ?)::INT + (age_hours > ?)::INT END AS tier
    FROM aged)
SELECT *, NOT outdated AND (tier < 3 OR min(tier) OVER (PARTITION BY group_id, price_kind) = 3) AS shown
FROM tiered
