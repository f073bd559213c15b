-- R9, schema drift: the source sent input fields that no earlier run of it had left unused. A field that we use and
-- lose holds its source already in the spider.
WITH now_unused AS (
    SELECT run_no, provider, unnest(json_keys(unused_fields::JSON)) AS field FROM this_run WHERE unused_fields <> '{}'
),
earlier AS (
    SELECT DISTINCT r.provider, unnest(json_keys(r.unused_fields_json::JSON)) AS field
    FROM runs AS r JOIN this_run AS t ON t.provider = r.provider AND r.observed_at < t.observed_at
    WHERE r.unused_fields_json NOT IN ('{}', 'null')
)
SELECT n.run_no, NULL::INTEGER AS row_no, 'R9' AS rule, 'W' AS level,
    format('new input fields that nobody reads: {}', substr(string_agg(n.field, ', ' ORDER BY n.field), 1, 200)) AS evidence
FROM now_unused AS n ANTI JOIN earlier AS e ON e.provider = n.provider AND e.field = n.field
WHERE n.run_no IN (SELECT run_no FROM good_runs)
GROUP BY n.run_no
