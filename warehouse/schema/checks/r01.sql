-- R1, reject: a row that cannot be true. Records refuse most of it; this catches tables written elsewhere.
-- Only a source that is not first-party (a compiled catalogue) may describe other clouds than its own.
SELECT row_no, 'R1' AS rule, 'R' AS level, reason AS evidence
FROM (
    SELECT row_no, CASE
        WHEN provider IS NULL OR (provider <> run_provider AND run_first_party)
            THEN format('the row is of provider {}, the run of {}', coalesce(provider, 'NULL'), run_provider)
        WHEN instance_type IS NULL AND gpu_name_raw IS NULL THEN 'neither instance type nor GPU name'
        WHEN price IS NULL OR NOT isfinite(price) OR price <= 0 OR price >= 1e12
            THEN format('price {} is not a price', coalesce(price_raw, 'NULL'))
        WHEN upfront_raw IS NOT NULL AND (upfront IS NULL OR NOT isfinite(upfront) OR upfront <= 0)
            THEN format('upfront payment {} is not a price', upfront_raw)
        WHEN unit_problem IS NOT NULL THEN unit_problem
        WHEN currency IS NULL OR NOT regexp_full_match(currency, '[A-Z]{3}')
            THEN format('currency {} is not an ISO 4217 code', coalesce(currency, 'NULL'))
        WHEN price_kind IS NULL OR price_kind NOT IN ('on_demand', 'spot', 'reserved', 'savings_plan',
            'capacity_block', 'low_priority', 'flex', 'serverless', 'subscription')
            THEN format('price kind {} is not known', coalesce(price_kind, 'NULL'))
        WHEN gpu_count_raw <= 0 OR NOT isfinite(gpu_count_raw) THEN format('GPU count {} is not above 0', gpu_count_raw)
        WHEN source_url IS NULL OR NOT regexp_matches(source_url, '^https?://')
            THEN 'no http(s) source address'
        WHEN stated_at IS NULL THEN 'no time of observation'
        WHEN stated_at > run_observed_at + INTERVAL 1 DAY
            THEN format('observed at {}, after the run itself', stated_at::VARCHAR)
        END AS reason
    FROM cleaned WHERE NOT coalesce(no_gpu, false)
)
WHERE reason IS NOT NULL
