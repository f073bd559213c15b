SELECT group_id, any_value(accelerator_id) AS accelerator_id, first(candidates) AS candidates,
       any_value(family) AS family, count(*) AS offers, count(DISTINCT provider) AS providers,
       max(observed_at) AS newest
FROM site_offers WHERE shown AND comparable GROUP BY group_id
ORDER BY providers DESC, offers DESC, group_id
