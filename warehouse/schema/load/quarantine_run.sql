INSERT INTO quarantine (id, run_id, provider, rule, level, evidence, first_seen, last_seen, confirmations, status)
SELECT 'r' || substr(md5(concat_ws(chr(31), $provider, $run_id, $rule)), 1, 10), $run_id, $provider, $rule, 'B', $evidence,
    $observed_at, $observed_at, 0, 'held';
