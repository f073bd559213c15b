CREATE OR REPLACE TEMP TABLE suspects AS
SELECT 'q' || substr(md5(concat_ws(chr(31), v.provider, v.offer_id::VARCHAR, v.rule, v.price_raw, v.price_unit)), 1, 10) AS id,
    r.run_id, r.provider, v.offer_id, v.rule, CASE WHEN v.status = 'rejected' THEN 'R' ELSE 'Q' END AS level, v.evidence,
    r.observed_at AS first_seen, r.observed_at AS last_seen, 0 AS confirmations,
    CASE WHEN v.status = 'rejected' THEN 'rejected' ELSE 'held' END AS status, v.source, v.instance_type,
    v.accelerator_id, v.candidates, v.partition, v.gpu_name_raw, coalesce(v.gpu_count, v.gpu_count_raw) AS gpu_count,
    coalesce(v.gpu_memory_gb, v.gpu_memory_gb_raw) AS gpu_memory_gb, v.region, v.price_kind, v.term_months,
    v.price_per_hour::DOUBLE AS price_per_hour, v.currency, v.price_raw, v.price_unit, v.price_usd_per_hour,
    v.price_usd_per_gpu_hour, v.available, v.offer_key, v.source_url, v.body_sha256
FROM verdicts AS v JOIN this_run AS r USING (run_no)
WHERE (v.status = 'held' AND v.rule <> 'hand') OR (v.status = 'rejected' AND v.row_no IN (
    SELECT row_no FROM verdicts WHERE status = 'rejected' ORDER BY row_no LIMIT $rejected_limit))
QUALIFY row_number() OVER (PARTITION BY id ORDER BY v.row_no) = 1;

-- Suspected again: a confirmation; suspected anew after it had been let go: it starts from the beginning.
UPDATE quarantine AS q SET confirmations = CASE WHEN q.status IN ('superseded', 'released') THEN 0 ELSE q.confirmations + 1 END,
    first_seen = CASE WHEN q.status IN ('superseded', 'released') THEN s.first_seen ELSE least(q.first_seen, s.first_seen) END,
    last_seen = greatest(q.last_seen, s.last_seen), evidence = s.evidence,
    status = CASE WHEN q.status IN ('superseded', 'released') THEN 'held' ELSE q.status END
FROM suspects AS s WHERE q.id = s.id AND q.run_id <> s.run_id;

INSERT INTO quarantine BY NAME
SELECT * FROM suspects AS s WHERE NOT EXISTS (FROM quarantine AS q WHERE q.id = s.id);

-- Confirmed by this run: released, with a line in the audit.
INSERT INTO quarantine_audit BY NAME
SELECT r.observed_at AS decided_at, q.id, 'confirmed' AS action, 'automatic' AS who, l.why AS note, r.run_id, q.provider, q.offer_id,
    q.rule, q.price_per_hour, q.price_raw, q.price_unit
FROM releases AS l JOIN verdicts AS v USING (row_no) JOIN this_run AS r USING (run_no)
JOIN quarantine AS q ON q.offer_id = l.offer_id AND q.status = 'held' AND q.level <> 'B'
    AND q.price_per_hour > 0 AND abs(ln(l.price / q.price_per_hour)) <= l.slack
WHERE v.status = 'accepted';

UPDATE quarantine AS q SET status = 'released'
FROM (SELECT a.id FROM quarantine_audit AS a JOIN this_run AS r ON r.run_id = a.run_id AND a.action = 'confirmed') AS a
WHERE q.id = a.id AND q.status = 'held';

UPDATE quarantine AS q SET status = 'superseded'
FROM verdicts AS v WHERE v.status = 'accepted' AND q.offer_id = v.offer_id AND q.status = 'held'
    AND v.run_observed_at > q.last_seen;
