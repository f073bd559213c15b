-- What a compiled catalogue that ships with the package says of single offers, day by day: the index needs to
-- follow the same offer, which the day's levels of a provider cannot do.
INSERT INTO core_compiled_prices BY NAME
SELECT v.offer_id, least(v.stated_at, v.run_observed_at)::DATE AS day, any_value(v.provider) AS provider,
    any_value(v.accelerator_id) AS accelerator_id, any_value(v.family) AS family, any_value(v.price_kind) AS price_kind,
    any_value(v.price_per_hour) AS price_per_hour, any_value(v.currency) AS currency, any_value(v.gpu_count) AS gpu_count
FROM verdicts AS v
WHERE v.status = 'accepted' AND NOT v.is_repeat AND len(v.candidates) > 0 AND v.partition IS NULL AND NOT v.is_floor
    AND (v.effective_from IS NULL OR v.effective_from <= v.run_observed_at::DATE)
    AND NOT EXISTS (FROM core_compiled_prices AS k WHERE k.offer_id = v.offer_id
        AND k.day = least(v.stated_at, v.run_observed_at)::DATE)
GROUP BY ALL
ORDER BY v.offer_id, day;
