-- Token prices and grid carbon: what a source says of a key (raw_*, one row per wording and number it ever
-- had), and in which runs it said so (sightings). Append-only, verbatim.
CREATE TABLE raw_token_prices (
    state_no INTEGER, source VARCHAR, provider VARCHAR, model VARCHAR, mode VARCHAR,
    input_raw VARCHAR, output_raw VARCHAR, cached_input_raw VARCHAR, price_unit VARCHAR,
    context_length BIGINT, retired_on DATE, first_party BOOLEAN, upstream VARCHAR, note VARCHAR,
    source_url VARCHAR, state_hash UBIGINT, run_no INTEGER);
CREATE TABLE raw_token_sightings (run_no INTEGER, state_no INTEGER, body_sha256 VARCHAR);

CREATE TABLE raw_grid_carbon (
    state_no INTEGER, source VARCHAR, provider VARCHAR, region VARCHAR, location VARCHAR,
    intensity_raw VARCHAR, intensity_unit VARCHAR, basis VARCHAR, carbon_free_share DOUBLE, period VARCHAR,
    note VARCHAR, source_url VARCHAR, state_hash UBIGINT, run_no INTEGER);
CREATE TABLE raw_carbon_sightings (run_no INTEGER, state_no INTEGER, body_sha256 VARCHAR);
