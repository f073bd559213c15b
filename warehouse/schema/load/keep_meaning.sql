-- What offers mean. The reading of the newest accepted run replaces an older one; a held row's is kept where there is
-- none, so that a person can release it.
CREATE OR REPLACE TEMP TABLE meant AS
SELECT offer_id, provider, accelerator_id, candidates, family, partition, gpu_count, gpu_memory_gb, country, continent,
    status = 'accepted' AS is_accepted
FROM verdicts WHERE (status = 'accepted' OR (status = 'held' AND len(candidates) > 0 AND gpu_count > 0)) AND NOT is_later;

DELETE FROM core_offers WHERE $newest AND offer_id IN (
    SELECT k.offer_id FROM core_offers AS k JOIN meant AS n USING (offer_id)
    WHERE n.is_accepted AND hash(k.accelerator_id, k.candidates, k.family, k.partition, k.gpu_count, k.gpu_memory_gb, k.country, k.continent)
        <> hash(n.accelerator_id, n.candidates, n.family, n.partition, n.gpu_count, n.gpu_memory_gb, n.country, n.continent));

INSERT INTO core_offers BY NAME
SELECT * EXCLUDE (is_accepted) FROM meant AS n WHERE NOT EXISTS (FROM core_offers AS k WHERE k.offer_id = n.offer_id);
