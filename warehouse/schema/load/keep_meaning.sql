-- What offers mean. The reading of the newest run replaces an older one, which is kept as what was believed;
-- that of a row that waits only fills a gap.
CREATE OR REPLACE TEMP TABLE meant AS
SELECT offer_id, provider, accelerator_id, candidates, family, partition, gpu_count, gpu_memory_gb, country, continent,
    status = 'accepted' AS speaks, r.learnt_at
FROM verdicts AS v JOIN (SELECT run_no, learnt_at FROM this_run) AS r USING (run_no)
WHERE status <> 'rejected' AND len(candidates) > 0 AND (status = 'accepted' OR gpu_count IS NOT NULL) AND NOT is_later;

CREATE OR REPLACE TEMP TABLE reread AS
    SELECT k.offer_id FROM core_offers AS k JOIN meant AS n USING (offer_id)
    WHERE $newest AND n.speaks AND hash(k.accelerator_id, k.candidates, k.family, k.partition, k.gpu_count, k.gpu_memory_gb, k.country, k.continent)
        <> hash(n.accelerator_id, n.candidates, n.family, n.partition, n.gpu_count, n.gpu_memory_gb, n.country, n.continent);

INSERT INTO core_past_offers BY NAME
SELECT k.*, n.learnt_at AS unlearnt_at FROM core_offers AS k JOIN meant AS n USING (offer_id)
WHERE k.offer_id IN (SELECT offer_id FROM reread) AND k.learnt_at < n.learnt_at;

DELETE FROM core_offers WHERE offer_id IN (SELECT offer_id FROM reread);

INSERT INTO core_offers BY NAME
SELECT * EXCLUDE (speaks) FROM meant AS n WHERE NOT EXISTS (FROM core_offers AS k WHERE k.offer_id = n.offer_id);
