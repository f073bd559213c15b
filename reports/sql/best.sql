WITH able AS (
    SELECT *, age_hours > 24 * {recent_days} + min(age_hours) OVER (PARTITION BY group_id, price_kind)
                  AS forgotten
    FROM site_offers
    WHERE shown AND comparable AND coalesce(available, true) AND coalesce(missing_runs, 0) = 0)
SELECT DISTINCT ON (group_id, price_kind) * FROM able
ORDER BY group_id, price_kind, tier >= 2, forgotten, {order}
