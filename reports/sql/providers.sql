WITH seen AS (SELECT provider, count(*) AS live_offers, max(observed_at) AS newest_offer,
                     bool_or(first_party) AS any_first_party,
                     count(DISTINCT coalesce(accelerator_id, family)) AS accelerators,
                     count(*) FILTER (origin = 'bundled') AS bundled_offers
              FROM site_offers GROUP BY provider),
     ids AS (SELECT provider FROM providers UNION SELECT provider FROM site_offers
             UNION SELECT provider FROM runs UNION SELECT provider FROM quarantine
             UNION SELECT provider FROM changes)
SELECT ids.provider, title, homepage, kind, p.first_party,
       any_first_party, price_kinds, refetch_hours, proof, last_run_state, last_run_reason,
       make_timestamp(epoch_us(last_run_at)) AS last_run_at,
       make_timestamp(epoch_us(last_good_at)) AS last_good_at, coalesce(live_offers, 0) AS offers,
       coalesce(bundled_offers, 0) AS bundled_offers, coalesce(accelerators, 0) AS accelerators,
       coalesce(held, 0) AS held, billing_increment_seconds, minimum_seconds, newest_offer
FROM ids LEFT JOIN providers p USING (provider) LEFT JOIN seen s USING (provider)
WHERE ids.provider IS NOT NULL ORDER BY ids.provider
