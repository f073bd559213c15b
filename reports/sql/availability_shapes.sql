SELECT provider, instance_type, accelerator_id, family, gpu_count, region, price_kind, polls, polls_available,
       share, days, days_available, make_timestamp(epoch_us(last_poll_at)) AS last_poll_at,
       make_timestamp(epoch_us(last_available_at)) AS last_available_at, current_state, offers_available
FROM availability WHERE window_days = ?
ORDER BY share DESC, polls DESC, provider, instance_type NULLS LAST, region NULLS LAST, price_kind, gpu_count
