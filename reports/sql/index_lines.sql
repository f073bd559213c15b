WITH newest AS (
    SELECT scope, name, max(day) AS last, arg_max(segment, day) AS segment FROM index_days
    WHERE price_kind = 'on_demand' AND index_value IS NOT NULL GROUP BY scope, name),
points AS (
    SELECT i.scope, i.name, i.day, i.index_value, i.p10, i.p90, i.providers, n.last
    FROM index_days i JOIN newest n USING (scope, name, segment)
    WHERE i.price_kind = 'on_demand' AND i.index_value IS NOT NULL AND i.day >= n.last - ?)
SELECT * EXCLUDE (last) FROM points
QUALIFY day > last - 30
     OR row_number() OVER (PARTITION BY scope, name, date_trunc('week', day) ORDER BY day DESC) = 1
ORDER BY scope, name, day
