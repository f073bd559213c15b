SELECT id, run_id, provider, rule, level, evidence, confirmations, gpu_name_raw, instance_type, region,
       price_kind, price_usd_per_gpu_hour, source_url,
       make_timestamp(epoch_us(first_seen)) AS first_seen
FROM quarantine WHERE status = 'held' AND (?::VARCHAR IS NULL OR provider = ?)
ORDER BY quarantine.first_seen DESC, provider, rule, id LIMIT ?
