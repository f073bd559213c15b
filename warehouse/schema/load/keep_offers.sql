-- Offers as last stated: new ones are added, changed ones replaced where this run is not older than what is kept.
CREATE OR REPLACE TEMP TABLE stated AS
SELECT row_no, run_no, offer_id, run_observed_at, hash(interconnect, vcpus, memory_gib, disk_gb, effective_from,
    available_count, machine_id, note, source_url, first_party, kind, title,
    CASE WHEN stated_at < run_observed_at THEN stated_at END) AS attributes_hash
FROM verdicts WHERE status <> 'rejected' AND NOT is_later;

CREATE OR REPLACE TEMP TABLE news AS
SELECT n.row_no, n.offer_id, n.attributes_hash, coalesce(k.first_run_no, n.run_no) AS first_run_no,
    k.offer_id IS NOT NULL AS is_known
FROM stated AS n LEFT JOIN raw_offers AS k USING (offer_id)
WHERE k.offer_id IS NULL OR (n.attributes_hash <> k.attributes_hash AND n.run_observed_at >= k.observed_at);

DELETE FROM raw_offers WHERE offer_id IN (SELECT offer_id FROM news WHERE is_known);

INSERT INTO raw_offers BY NAME
SELECT v.offer_id, provider, source, instance_type, gpu_name_raw, gpu_count_raw, gpu_memory_gb_raw, partition_raw,
    interconnect, vcpus, memory_gib, disk_gb, region, price_kind, term_months, currency, is_floor, effective_from,
    available_count, offer_key, machine_id, note, source_url, first_party, kind, title, stated_at, n.attributes_hash,
    run_observed_at AS observed_at, n.first_run_no
FROM cleaned AS v JOIN news AS n USING (row_no);
