SELECT rule, level, status, count(*) AS rows, count(DISTINCT provider) AS providers,
       min(make_timestamp(epoch_us(first_seen))) AS since
FROM quarantine GROUP BY rule, level, status ORDER BY status, rule, level
