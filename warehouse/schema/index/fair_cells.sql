-- Offers that can be judged, equal ones together. A part that is not settled is a part of its own, with the mean
-- figures of what it may be. Prices within 1 % count as equal.
CREATE OR REPLACE TEMP TABLE fair_offers AS
SELECT offer_id, provider, coalesce(accelerator_id, array_to_string(candidates, '|')) AS part, candidates, gpu_count,
    price_kind || CASE WHEN term_months > 0 THEN ' ' || term_months ELSE '' END AS kind_term,
    coalesce(country, '') AS country, coalesce(continent, '') AS continent, kind = 'marketplace' AS marketplace,
    CASE WHEN interconnect IS NULL THEN '' WHEN regexp_matches(lower(interconnect), 'infiniband|roce|efa|nvl72') THEN 'fabric'
        WHEN regexp_matches(lower(interconnect), 'nvlink|sxm|nvswitch') THEN 'nvlink'
        WHEN contains(lower(interconnect), 'pcie') THEN 'pcie' ELSE '' END AS fabric,
    price_usd_per_gpu_hour AS usd, round(ln(price_usd_per_gpu_hour), 2) AS step
FROM market.offers
WHERE partition IS NULL AND NOT is_floor AND NOT outdated AND len(candidates) > 0 AND gpu_count > 0
    AND price_usd_per_gpu_hour > 0 AND (effective_from IS NULL OR effective_from <= $today::DATE);

CREATE OR REPLACE TEMP TABLE fair_cells AS
SELECT row_number() OVER ()::INTEGER - 1 AS cell_no, *
FROM (
    SELECT provider, part, any_value(candidates) AS candidates, gpu_count, kind_term, country, continent, marketplace, fabric,
        step, avg(ln(usd)) AS log_price, count(*)::DOUBLE AS offers
    FROM fair_offers GROUP BY provider, part, gpu_count, kind_term, country, continent, marketplace, fabric, step
    ORDER BY ALL
);
