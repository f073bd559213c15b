-- Rows of one run (or of all bundled runs), verbatim, with the stable hash of their natural key.
-- {source} is read_parquet($file) or the registered bundled table; it is ours, never scraped text.
-- The natural key: an own key of the source (offer_key) settles what figures would otherwise have to tell
-- apart, so figures that are measured anew on each crawl (memory of a marketplace machine) stay out of it.
CREATE OR REPLACE TEMP TABLE staged AS
WITH shape AS (
    SELECT NULL::VARCHAR AS provider, NULL::VARCHAR AS source, NULL::VARCHAR AS source_url,
        NULL::TIMESTAMPTZ AS observed_at, NULL::VARCHAR AS price_kind, NULL::VARCHAR AS price_raw,
        NULL::VARCHAR AS price_unit, NULL::VARCHAR AS currency, NULL::VARCHAR AS instance_type,
        NULL::VARCHAR AS gpu_name_raw, NULL::DOUBLE AS gpu_count, NULL::DOUBLE AS gpu_memory_gb,
        NULL::VARCHAR AS partition, NULL::VARCHAR AS interconnect, NULL::DOUBLE AS vcpus,
        NULL::DOUBLE AS memory_gib, NULL::DOUBLE AS disk_gb, NULL::VARCHAR AS region,
        NULL::INTEGER AS term_months, NULL::VARCHAR AS upfront_raw, NULL::DOUBLE AS tax_rate,
        NULL::BOOLEAN AS is_floor, NULL::DATE AS effective_from, NULL::BOOLEAN AS available,
        NULL::BIGINT AS available_count, NULL::VARCHAR AS offer_key, NULL::VARCHAR AS machine_id,
        NULL::VARCHAR AS note, NULL::VARCHAR AS body_sha256, NULL::VARCHAR AS title,
        NULL::BOOLEAN AS first_party, NULL::DOUBLE AS interruption_rate_low,
        NULL::DOUBLE AS interruption_rate_high
    LIMIT 0
),
input AS (FROM shape UNION ALL BY NAME SELECT * FROM {source}),
numbered AS (SELECT row_number() OVER ()::INTEGER AS row_no, * FROM input)
SELECT
    n.row_no, r.run_no, r.provider AS run_provider, r.observed_at AS run_observed_at,
    n.provider, n.source, n.source_url, n.observed_at AS stated_at, n.price_kind, n.price_raw, n.price_unit,
    n.currency, n.instance_type, n.gpu_name_raw, n.gpu_count AS gpu_count_raw,
    n.gpu_memory_gb AS gpu_memory_gb_raw, n.partition AS partition_raw, n.interconnect, n.vcpus,
    n.memory_gib, n.disk_gb, n.region, n.term_months, n.upfront_raw, n.tax_rate,
    coalesce(n.is_floor, false) AS is_floor, n.effective_from, n.available, n.available_count, n.offer_key,
    n.interruption_rate_low, n.interruption_rate_high,
    n.machine_id, n.note, n.body_sha256, coalesce(n.title, CASE WHEN n.provider = r.provider THEN r.title END) AS title,
    n.provider = r.provider AND coalesce(n.first_party, r.first_party, true) AS first_party,
    CASE WHEN n.provider = r.provider THEN r.kind ELSE 'list' END AS kind, coalesce(r.first_party, true) AS run_first_party,
    TRY_CAST(n.price_raw AS DOUBLE) AS price, TRY_CAST(n.upfront_raw AS DOUBLE) AS upfront,
    hash(n.provider, n.gpu_name_raw, n.instance_type, n.gpu_count, n.gpu_memory_gb, n.partition) AS shape_hash,
    hash(n.provider, n.region) AS place_hash,
    hash(n.price_unit, n.term_months, n.tax_rate) AS unit_hash,
    md5_number_lower(concat_ws(chr(31), CASE WHEN n.provider <> r.provider THEN r.provider END, n.provider, n.source, coalesce(n.instance_type, ''),
        coalesce(n.gpu_name_raw, ''), coalesce(round(n.gpu_count, 4)::VARCHAR, ''), coalesce(n.partition, ''),
        coalesce(n.region, ''), coalesce(n.price_kind, ''), coalesce(n.term_months::VARCHAR, ''),
        coalesce(n.currency, ''), CASE WHEN n.is_floor THEN 'floor' ELSE '' END,
        CASE WHEN n.effective_from IS NULL THEN '' ELSE 'announced' END,
        CASE
            WHEN n.offer_key IS NOT NULL THEN 'key' || n.offer_key
            WHEN n.instance_type IS NOT NULL
                THEN concat_ws(chr(30), coalesce(n.gpu_memory_gb::VARCHAR, ''), coalesce(n.interconnect, ''))
            ELSE concat_ws(chr(30), coalesce(n.gpu_memory_gb::VARCHAR, ''), coalesce(n.interconnect, ''),
                coalesce(n.vcpus::VARCHAR, ''), coalesce(n.memory_gib::VARCHAR, ''))
        END)) AS offer_id
FROM numbered AS n
JOIN this_run AS r ON r.bulk_provider IS NULL
    OR (r.bulk_provider = n.provider AND r.bulk_day = n.observed_at::DATE);
