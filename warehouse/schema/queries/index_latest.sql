-- The newest publishable value of each market up to $until, the newest day of all with its reason, and churn.
WITH asked AS (
    SELECT * FROM index_days
    WHERE day <= $until::DATE AND ($names::VARCHAR[] IS NULL OR list_contains($names, name))
        AND ($kinds::VARCHAR[] IS NULL OR list_contains($kinds, price_kind))
),
newest AS (
    SELECT scope, name, price_kind, max(day) AS newest_day, arg_max(coalesce(suppressed_reason, ''), day) AS newest_reason,
        max(day) FILTER (index_value IS NOT NULL) AS value_day
    FROM asked GROUP BY ALL
)
SELECT n.scope, n.name, n.price_kind, n.newest_day, nullif(n.newest_reason, '') AS newest_reason,
    v.* EXCLUDE (scope, name, price_kind), c.entries_30d, c.exits_30d
FROM newest AS n
LEFT JOIN asked AS v ON v.scope = n.scope AND v.name = n.name AND v.price_kind = n.price_kind AND v.day = n.value_day
LEFT JOIN LATERAL (
    SELECT sum(a.entries)::INTEGER AS entries_30d, sum(a.exits)::INTEGER AS exits_30d FROM asked AS a
    WHERE a.scope = n.scope AND a.name = n.name AND a.price_kind = n.price_kind
        AND a.day > n.value_day - 30 AND a.day <= n.value_day
) AS c ON true
ORDER BY n.scope DESC, n.name, n.price_kind
