SELECT p.*, CASE o.best WHEN 1 THEN 'live' WHEN 2 THEN 'replay' WHEN 3 THEN 'bundled' ELSE 'compiled' END AS origin
FROM providers AS p
LEFT JOIN (
    SELECT provider, min(CASE origin WHEN 'live' THEN 1 WHEN 'replay' THEN 2 ELSE 3 END) AS best
    FROM runs GROUP BY provider
) AS o USING (provider)
ORDER BY p.provider
