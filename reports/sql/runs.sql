SELECT run_id, provider, make_timestamp(epoch_us(observed_at)) AS observed_at, state, reason, origin,
       offers, rejected, held, requests, seconds, parser_version, partial
FROM runs ORDER BY runs.observed_at DESC, provider, run_id
