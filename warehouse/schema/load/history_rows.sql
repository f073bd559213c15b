-- Dated observations of a collected table, as offers. One row per provider, day, origin and offer: the last of the day.
-- `line` is the row's number in the file. What stands in the column of machine types but is no machine type ("median of
-- 9 offers", "secure") becomes a note, or tells apart what is sold at two prices; a marketplace's machine gets its key.
CREATE OR REPLACE TEMP TABLE history_rows AS
WITH read AS (
    SELECT row_number() OVER () AS line, *,
        TRY_CAST(observed_at AS TIMESTAMPTZ) AS moment, regexp_extract(source_file, '^[A-Za-z0-9-]+') AS collector,
        instance_type LIKE 'ask %' AS is_machine,
        lower(instance_type) IN ('on-demand', 'spot', 'serverless', 'community', 'secure') AS is_tier,
        regexp_matches(instance_type, '^(median of|min/median|via |report median|index value|raw list)') AS is_note
    FROM read_csv($file, header = true, all_varchar = true, delim = ',', quote = '"', escape = '"', strict_mode = true)
),
named AS (
    SELECT r.*, coalesce(s.name, replace(r.provider, '-', '_')) AS name,
        CASE WHEN lower(r.region) IN ('secure', 'community') THEN lower(r.region)
            WHEN is_tier THEN lower(r.instance_type) END AS tier,
        nullif(regexp_extract(price_kind, '^reserved_(\d+)m$', 1), '')::INTEGER AS months,
        CASE WHEN price_kind IN ('reserved_1w', 'reserved_day', 'reserved_unstated') THEN price_kind END AS odd_term
    FROM read AS r LEFT JOIN history_slugs AS s ON s.slug = r.provider
)
SELECT line, name AS provider, name || ':' || collector AS source,
    coalesce(source_url, 'https://no-address.invalid/' || regexp_replace(source_file, '[^A-Za-z0-9._@/-]', '_', 'g')) AS source_url,
    moment AS observed_at, moment::DATE AS day, collector,
    CASE WHEN price_kind LIKE 'reserved%' THEN 'reserved' ELSE price_kind END AS price_kind,
    price_per_hour AS price_raw, CASE per WHEN 'gpu' THEN 'per gpu-hour' ELSE 'per instance-hour' END AS price_unit, currency,
    CASE WHEN NOT (coalesce(is_machine, false) OR coalesce(is_tier, false) OR coalesce(is_note, false)) THEN instance_type END AS instance_type,
    gpu_model_raw AS gpu_name_raw, TRY_CAST(gpu_count AS DOUBLE) AS gpu_count,
    nullif(TRY_CAST(gpu_memory_gb AS DOUBLE), 0) AS gpu_memory_gb, nullif(interconnect, '') AS interconnect,
    TRY_CAST(vcpus AS DOUBLE) AS vcpus, TRY_CAST(memory_gb AS DOUBLE) AS memory_gib, TRY_CAST(disk_gb AS DOUBLE) AS disk_gb,
    CASE WHEN lower(region) NOT IN ('secure', 'community') THEN region END AS region, months AS term_months,
    CASE lower(available) WHEN 'true' THEN true WHEN 'available' THEN true WHEN 'low' THEN true WHEN 'medium' THEN true
        WHEN 'high' THEN true WHEN 'unavailable' THEN false END AS available,
    CASE WHEN is_machine THEN split_part(instance_type, ' ', 2)
        ELSE nullif(concat_ws(' ', tier, odd_term, CASE WHEN per = 'gpu' THEN 'each' END), '') END AS offer_key,
    CASE WHEN is_machine THEN split_part(instance_type, ' ', 4) END AS machine_id,
    concat_ws('; ', CASE WHEN is_note THEN instance_type END, source_file) AS note, false AS first_party
FROM named
WHERE moment IS NOT NULL AND provider NOT LIKE 'index-%'
QUALIFY row_number() OVER (PARTITION BY name, collector, moment::DATE, coalesce(CASE WHEN NOT coalesce(is_note, false) THEN instance_type END, ''),
    gpu_model_raw, gpu_count, gpu_memory_gb, region, price_kind, per, currency, CASE WHEN is_machine THEN NULL ELSE interconnect END
    ORDER BY moment DESC, line DESC) = 1
ORDER BY day, provider, line;
