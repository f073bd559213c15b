WITH newest AS (
    SELECT scope, name, max(day) AS newest_day, arg_max(suppressed_reason, day) AS newest_reason,
           max(day) FILTER (index_value IS NOT NULL) AS value_day
    FROM index_days WHERE price_kind = 'on_demand' GROUP BY scope, name)
SELECT v.*, n.newest_day, n.newest_reason,
       (SELECT sum(c.entries) FROM index_days c WHERE c.scope = v.scope AND c.name = v.name
           AND c.price_kind = v.price_kind AND c.day > v.day - 30 AND c.day <= v.day) AS entries_30d,
       (SELECT sum(c.exits) FROM index_days c WHERE c.scope = v.scope AND c.name = v.name
           AND c.price_kind = v.price_kind AND c.day > v.day - 30 AND c.day <= v.day) AS exits_30d
FROM newest n JOIN index_days v
  ON v.scope = n.scope AND v.name = n.name AND v.price_kind = 'on_demand' AND v.day = n.value_day
ORDER BY v.scope DESC, v.matched_offers DESC, v.name
