-- Offers as last stated: new ones are added, changed ones replaced where this run is not older than what is kept.
CREATE OR REPLACE TEMP TABLE stated AS
SELECT row_no, run_no, offer_id, run_observed_at, available_count, hash(interconnect, vcpus, memory_gib, disk_gb, effective_from,
    available_count, machine_id, note, source_url, first_party, kind, title,
    CASE WHEN stated_at < run_observed_at THEN stated_at END) AS attributes_hash
FROM verdicts WHERE status <> 'rejected' AND NOT is_later;

-- The number of machines is replaced below; it is kept here as it was said.
INSERT INTO raw_stock
SELECT n.run_no, n.offer_id, n.available_count FROM stated AS n LEFT JOIN raw_offers AS k USING (offer_id)
WHERE n.available_count IS DISTINCT FROM k.available_count;

-- matters: what an answer about an earlier day would tell otherwise.
CREATE OR REPLACE TEMP TABLE news AS
SELECT n.row_no, n.offer_id, n.attributes_hash, coalesce(k.first_run_no, n.run_no) AS first_run_no,
    k.offer_id IS NOT NULL AS is_known, k.learnt_at AS known_since, r.learnt_at,
    hash(k.interconnect, k.vcpus, k.memory_gib, k.disk_gb, k.effective_from, k.first_party, k.kind)
        <> hash(v.interconnect, v.vcpus, v.memory_gib, v.disk_gb, v.effective_from, v.first_party, v.kind) AS matters
FROM stated AS n JOIN cleaned AS v USING (row_no) LEFT JOIN raw_offers AS k ON k.offer_id = n.offer_id
JOIN (SELECT run_no, learnt_at FROM this_run) AS r ON r.run_no = n.run_no
WHERE k.offer_id IS NULL OR (n.attributes_hash <> k.attributes_hash AND n.run_observed_at >= k.observed_at);

INSERT INTO raw_past_offers BY NAME
SELECT k.*, n.learnt_at AS unlearnt_at FROM raw_offers AS k JOIN news AS n USING (offer_id)
WHERE n.is_known AND n.matters AND n.known_since < n.learnt_at;

DELETE FROM raw_offers WHERE offer_id IN (SELECT offer_id FROM news WHERE is_known);

INSERT INTO raw_offers BY NAME
SELECT v.offer_id, provider, source, instance_type, gpu_name_raw, gpu_count_raw, gpu_memory_gb_raw, partition_raw,
    interconnect, vcpus, memory_gib, disk_gb, region, price_kind, term_months, currency, is_floor, effective_from,
    available_count, offer_key, machine_id, note, source_url, first_party, kind, title, stated_at, n.attributes_hash,
    run_observed_at AS observed_at, n.first_run_no,
    CASE WHEN n.is_known AND NOT n.matters THEN n.known_since ELSE n.learnt_at END AS learnt_at
FROM cleaned AS v JOIN news AS n USING (row_no);
