-- The day's level of each provider, accelerator (or what an unsettled name may be) and price kind: floors,
-- slices, announced and held rows left out. A run replaces what an earlier run of the day said; a partial one does
-- not replace a whole one. What a compiled catalogue says of another cloud counts on the catalogue's own day, only
-- where that cloud itself said nothing in the 72 hours before or on the day, and gives way to its own rows.
CREATE OR REPLACE TEMP TABLE new_days AS
SELECT CASE WHEN v.provider = v.run_provider THEN v.run_observed_at ELSE least(v.stated_at, v.run_observed_at) END::DATE AS day,
    v.provider, v.accelerator_id, v.candidates, any_value(v.family) AS family, v.price_kind,
    min(v.price_usd_per_gpu_hour) AS min_usd_per_gpu_hour,
    median(v.price_usd_per_gpu_hour) AS median_usd_per_gpu_hour, count(*)::INTEGER AS offers,
    bool_and(v.first_party) AS first_party, any_value(r.origin) AS origin,
    arg_min(v.source_url, v.price_usd_per_gpu_hour) AS source_url, bool_and(v.provider <> v.run_provider) AS compiled
FROM verdicts AS v JOIN this_run AS r USING (run_no)
WHERE v.status = 'accepted' AND NOT v.is_repeat AND len(v.candidates) > 0 AND v.partition IS NULL
    AND NOT v.is_floor AND (v.effective_from IS NULL OR v.effective_from <= v.run_observed_at::DATE)
GROUP BY ALL;

DELETE FROM new_days AS n WHERE n.compiled AND EXISTS (
    FROM core_price_days AS d WHERE d.provider = n.provider AND d.price_kind = n.price_kind AND d.origin <> 'bundled'
        AND NOT coalesce(d.compiled, false) AND d.day BETWEEN n.day - 3 AND n.day);

DELETE FROM core_price_days AS d WHERE EXISTS (
    FROM new_days AS n WHERE n.day = d.day AND n.provider = d.provider AND n.price_kind = d.price_kind
        AND CASE WHEN coalesce(d.compiled, false) AND NOT n.compiled THEN true
            ELSE n.candidates = d.candidates AND ($replaces OR d.origin = 'bundled') END);

INSERT INTO core_price_days BY NAME
SELECT * FROM new_days AS n WHERE NOT EXISTS (
    FROM core_price_days AS d WHERE n.day = d.day AND n.provider = d.provider AND n.candidates = d.candidates
        AND n.price_kind = d.price_kind);
