-- Offers as last stated: new ones are added, changed ones replaced where this run is not older than what is kept.
CREATE OR REPLACE TEMP TABLE stated AS
SELECT *, hash(interconnect, vcpus, memory_gib, disk_gb, effective_from, available_count, machine_id, note,
    source_url, first_party, kind, title, CASE WHEN stated_at < run_observed_at THEN stated_at END) AS attributes_hash
FROM verdicts WHERE status <> 'rejected'
QUALIFY row_number() OVER (PARTITION BY offer_id ORDER BY run_observed_at DESC, status, row_no) = 1;

CREATE OR REPLACE TEMP TABLE restated AS
SELECT n.offer_id, k.first_run_no
FROM stated AS n JOIN raw_offers AS k USING (offer_id)
WHERE n.attributes_hash <> k.attributes_hash AND n.run_observed_at >= k.observed_at;

DELETE FROM raw_offers WHERE offer_id IN (SELECT offer_id FROM restated);

INSERT INTO raw_offers BY NAME
SELECT n.offer_id, provider, source, instance_type, gpu_name_raw, gpu_count_raw, gpu_memory_gb_raw, partition_raw,
    interconnect, vcpus, memory_gib, disk_gb, region, price_kind, term_months, currency, is_floor, effective_from,
    available_count, offer_key, machine_id, note, source_url, first_party, kind, title, stated_at, attributes_hash,
    run_observed_at AS observed_at, coalesce(r.first_run_no, n.run_no) AS first_run_no
FROM stated AS n LEFT JOIN restated AS r USING (offer_id)
WHERE NOT EXISTS (FROM raw_offers AS k WHERE k.offer_id = n.offer_id);
