SELECT o.provider, o.instance_type, o.accelerator_id, o.candidates, o.gpu_count, o.region, o.country, o.price_kind,
    o.term_months, o.price_usd_per_gpu_hour, f.fair_usd_per_gpu_hour, f.p10_usd_per_gpu_hour, f.p90_usd_per_gpu_hour,
    f.percent, f.verdict, f.basis, f.peers, o.observed_at, o.kind, o.gpu_name_raw, f.offer_id::VARCHAR AS offer_id
FROM fair_prices AS f JOIN offers AS o USING (offer_id)
WHERE {where} AND ($verdict::VARCHAR IS NULL OR f.verdict = $verdict)
ORDER BY f.percent, o.provider, f.offer_id LIMIT $limit
