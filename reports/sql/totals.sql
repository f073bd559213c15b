SELECT count(*) AS offers, count(DISTINCT provider) AS providers, max(observed_at) AS newest,
       min(observed_at) AS oldest, quantile_disc(observed_at, 0.5) AS middle, count(*) FILTER (origin = 'bundled') AS bundled,
       max(observed_at) FILTER (origin = 'bundled') AS bundled_newest,
       count(*) FILTER (origin = 'replay') AS replayed, count(*) FILTER (tier < 2) AS fresh,
       count(*) FILTER (accelerator_id IS NULL) AS unsettled
FROM site_offers
