-- R11, age classes of the published offers at $now: list prices 36 h, 72 h, 7 d; spot and marketplaces
-- 2 h, 12 h, 24 h. Returns the offers that are past the first limit.
SELECT offer_id, provider, 'R11' AS rule, 'W' AS level, CASE
    WHEN age_hours > limits[3] THEN 'expired' WHEN age_hours > limits[2] THEN 'stale' ELSE 'aging' END AS evidence
FROM (
    SELECT offer_id, provider, epoch($now::TIMESTAMPTZ - observed_at) / 3600 AS age_hours,
        CASE WHEN price_kind = 'spot' OR kind = 'marketplace' THEN [2, 12, 24] ELSE [36, 72, 168] END AS limits
    FROM offers
)
WHERE age_hours > limits[1]
