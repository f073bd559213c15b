-- The day's level of each provider, accelerator (or what an unsettled name may be) and price kind: floors,
-- slices, announced and held rows left out. A run replaces what an earlier run of the day said; a partial one does
-- not replace a whole one. What a compiled catalogue says of another cloud counts on the catalogue's own day, only
-- where that cloud itself said nothing in the 72 hours before or on the day, and gives way to its own rows.
CREATE OR REPLACE TEMP TABLE new_days AS
SELECT CASE WHEN v.provider = v.run_provider THEN v.run_observed_at ELSE least(v.stated_at, v.run_observed_at) END::DATE AS day,
    v.provider, v.accelerator_id, v.candidates, any_value(v.family) AS family, v.price_kind,
    min(v.price_usd_per_gpu_hour) AS min_usd_per_gpu_hour,
    median(v.price_usd_per_gpu_hour) AS median_usd_per_gpu_hour, count(*)::INTEGER AS offers,
    bool_and(v.first_party) AS first_party, any_value(r.origin) AS origin, any_value(r.learnt_at) AS learnt_at,
    arg_min(v.source_url, v.price_usd_per_gpu_hour) AS source_url, bool_and(v.provider <> v.run_provider) AS compiled
FROM verdicts AS v JOIN this_run AS r USING (run_no)
WHERE v.status = 'accepted' AND NOT v.is_repeat AND len(v.candidates) > 0 AND v.partition IS NULL
    AND NOT v.is_floor AND (v.effective_from IS NULL OR v.effective_from <= v.run_observed_at::DATE)
GROUP BY ALL;

DELETE FROM new_days AS n WHERE n.compiled AND EXISTS (
    FROM core_price_days AS d WHERE d.provider = n.provider AND d.price_kind = n.price_kind AND d.origin <> 'bundled'
        AND NOT coalesce(d.compiled, false) AND d.day BETWEEN n.day - 3 AND n.day);

-- What these rows take the place of; kept as believed until now where it says something else. A revision of a run
-- takes the place of all that its provider's earlier parse of that day said.
CREATE OR REPLACE TEMP TABLE replaced_days AS
SELECT d.rowid AS id, n.learnt_at
FROM core_price_days AS d JOIN new_days AS n ON n.day = d.day AND n.provider = d.provider AND n.price_kind = d.price_kind
    AND CASE WHEN coalesce(d.compiled, false) AND NOT n.compiled THEN true
        ELSE n.candidates = d.candidates AND ($replaces OR d.origin = 'bundled') END
WHERE (n.candidates, n.min_usd_per_gpu_hour, n.median_usd_per_gpu_hour, n.offers, n.origin, n.first_party, n.compiled)
    IS DISTINCT FROM (d.candidates, d.min_usd_per_gpu_hour, d.median_usd_per_gpu_hour, d.offers, d.origin, d.first_party,
        d.compiled)
UNION ALL
SELECT d.rowid, r.learnt_at
FROM core_price_days AS d JOIN this_run AS r ON r.provider = d.provider AND r.observed_at::DATE = d.day
WHERE $revises AND NOT coalesce(d.compiled, false)
    AND NOT EXISTS (FROM new_days AS n WHERE n.candidates = d.candidates AND n.price_kind = d.price_kind);

INSERT INTO core_past_price_days BY NAME
SELECT d.*, n.learnt_at AS unlearnt_at FROM core_price_days AS d
JOIN (SELECT id, max(learnt_at) AS learnt_at FROM replaced_days GROUP BY id) AS n ON n.id = d.rowid
WHERE d.learnt_at < n.learnt_at;

DELETE FROM core_price_days WHERE rowid IN (SELECT id FROM replaced_days);

INSERT INTO core_price_days BY NAME
SELECT * FROM new_days AS n WHERE NOT EXISTS (
    FROM core_price_days AS d WHERE n.day = d.day AND n.provider = d.provider AND n.candidates = d.candidates
        AND n.price_kind = d.price_kind);
