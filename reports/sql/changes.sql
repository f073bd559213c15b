SELECT make_timestamp(epoch_us(c.at)) AS at, c.change, c.offer_id, c.provider, c.instance_type,
       c.accelerator_id, c.region, c.price_kind, c.old_usd_per_gpu_hour, c.new_usd_per_gpu_hour,
       o.source_url, o.gpu_name_raw, o.gpu_count, o.family, NULL::DOUBLE AS usd_per_month
FROM changes c LEFT JOIN site_offers o ON o.offer_id = c.offer_id
ORDER BY c.at DESC, c.provider, c.offer_id, c.change, c.new_usd_per_gpu_hour
