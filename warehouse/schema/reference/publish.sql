-- The newest statement of every key. listed: the newest whole run of the source still had it.
-- token_units and carbon_units come from warehouse.units, carbon_places from warehouse.regions.
CREATE OR REPLACE TEMP TABLE token_sightings AS
SELECT t.source, t.provider, t.model, t.state_no, r.observed_at, r.run_no, g.body_sha256
FROM raw_token_sightings AS g JOIN raw_token_prices AS t USING (state_no) JOIN runs AS r ON r.run_no = g.run_no;

CREATE TABLE market.token_prices AS
WITH newest AS (
    FROM token_sightings
    QUALIFY row_number() OVER (PARTITION BY source, provider, model ORDER BY observed_at DESC, run_no DESC) = 1
),
since AS (
    SELECT n.state_no, min(s.observed_at) AS stated_since
    FROM newest AS n JOIN token_sightings AS s USING (state_no)
    WHERE s.observed_at > coalesce((SELECT max(o.observed_at) FROM token_sightings AS o
        WHERE o.source = n.source AND o.provider = n.provider AND o.model = n.model AND o.state_no <> n.state_no),
        TIMESTAMPTZ '1970-01-01')
    GROUP BY n.state_no
),
whole AS (
    SELECT s.source, max(s.observed_at) AS at
    FROM token_sightings AS s JOIN runs AS r USING (run_no) WHERE r.state = 'good' GROUP BY s.source
)
SELECT t.provider, t.model, t.source, t.mode,
    TRY_CAST(t.input_raw AS DOUBLE) * 1e6 / u.tokens AS input_usd_per_mtok,
    TRY_CAST(t.output_raw AS DOUBLE) * 1e6 / u.tokens AS output_usd_per_mtok,
    TRY_CAST(t.cached_input_raw AS DOUBLE) * 1e6 / u.tokens AS cached_input_usd_per_mtok,
    t.context_length, t.retired_on, t.first_party, coalesce(n.observed_at >= w.at, true) AS listed,
    n.observed_at, s.stated_since, r.origin, t.input_raw, t.output_raw, t.cached_input_raw, t.price_unit,
    t.note, t.upstream, t.source_url, r.run_id, n.body_sha256
FROM newest AS n JOIN raw_token_prices AS t USING (state_no) JOIN runs AS r ON r.run_no = n.run_no
JOIN token_units AS u USING (price_unit) JOIN since AS s USING (state_no)
LEFT JOIN whole AS w ON w.source = t.source
ORDER BY t.model, t.provider, t.source;

CREATE TABLE market.grid_carbon AS
WITH sightings AS (
    SELECT c.source, c.provider, c.region, c.period, c.state_no, r.observed_at, r.run_no, g.body_sha256
    FROM raw_carbon_sightings AS g JOIN raw_grid_carbon AS c USING (state_no) JOIN runs AS r ON r.run_no = g.run_no
),
newest AS (
    FROM sightings
    QUALIFY row_number() OVER (PARTITION BY source, provider, region
        ORDER BY period DESC NULLS LAST, observed_at DESC, run_no DESC) = 1
)
SELECT c.provider, c.region, c.source, p.grid_zone, p.country, c.location,
    TRY_CAST(c.intensity_raw AS DOUBLE) * u.grams AS g_co2e_per_kwh, c.carbon_free_share, c.basis, c.period,
    n.observed_at, r.origin, c.intensity_raw, c.intensity_unit, c.note, c.source_url, r.run_id, n.body_sha256
FROM newest AS n JOIN raw_grid_carbon AS c USING (state_no) JOIN runs AS r ON r.run_no = n.run_no
JOIN carbon_units AS u USING (intensity_unit)
LEFT JOIN carbon_places AS p ON p.region = c.region AND p.provider IS NOT DISTINCT FROM c.provider
ORDER BY c.provider NULLS LAST, c.region, c.source;
