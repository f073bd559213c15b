WITH newest AS (SELECT provider, max(observed_at) AS observed_at FROM runs WHERE origin <> 'bundled' GROUP BY provider),
recent AS (
    SELECT f.provider, f.rule, list_extract(['R', 'B', 'Q', 'W'], min(list_position(['R', 'B', 'Q', 'W'], f.level))) AS level,
        sum(f.found) FILTER (f.observed_at = n.observed_at) AS last_rows, sum(f.found) AS found,
        count(DISTINCT f.run_id) AS runs, arg_max(f.example, f.observed_at) AS example
    FROM findings AS f JOIN newest AS n USING (provider)
    WHERE f.observed_at > n.observed_at - INTERVAL 30 DAY GROUP BY f.provider, f.rule
),
entries AS (
    SELECT provider, unnest(string_split(rule, '+')) AS rule, status, level, first_seen, evidence FROM quarantine
),
waiting AS (
    SELECT provider, rule, count(*) FILTER (status = 'held') AS held, count(*) FILTER (status = 'released') AS released,
        count(*) FILTER (status = 'rejected') AS rejected, count(*) FILTER (status = 'superseded') AS superseded,
        min(first_seen) FILTER (status = 'held') AS waiting_since, any_value(evidence) AS evidence,
        list_extract(['R', 'B', 'Q', 'W'], min(list_position(['R', 'B', 'Q', 'W'], level))) AS level
    FROM entries GROUP BY provider, rule
)
SELECT provider, rule, coalesce(r.level, w.level) AS level, coalesce(r.last_rows, 0)::BIGINT AS last_rows,
    coalesce(r.found, 0)::BIGINT AS "rows", coalesce(r.runs, 0) AS runs, coalesce(w.held, 0) AS held,
    coalesce(w.released, 0) AS released, coalesce(w.rejected, 0) AS rejected, coalesce(w.superseded, 0) AS superseded,
    w.waiting_since, coalesce(r.example, w.evidence) AS example
FROM recent AS r FULL JOIN waiting AS w USING (provider, rule)
ORDER BY held DESC, "rows" DESC, provider, substr(rule, 2)::INTEGER
