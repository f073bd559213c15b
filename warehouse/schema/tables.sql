-- The loader's tables. raw_*: verbatim, append-only. core_*: what it means, derived from raw_* and replayable.
CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR);

CREATE TABLE runs (
    run_no INTEGER, run_id VARCHAR, provider VARCHAR, observed_at TIMESTAMPTZ, loaded_at TIMESTAMPTZ,
    state VARCHAR, reason VARCHAR, origin VARCHAR, partial BOOLEAN,
    offers BIGINT, rejected BIGINT, held BIGINT, no_gpu BIGINT, requests BIGINT, seconds DOUBLE,
    parser_version VARCHAR, sources_json VARCHAR, unused_fields_json VARCHAR, facts_json VARCHAR,
    rejected_json VARCHAR, warnings_json VARCHAR, sources_key VARCHAR, title VARCHAR,
    learnt_at TIMESTAMPTZ, revision INTEGER, revises VARCHAR, superseded_at TIMESTAMPTZ, superseded_state VARCHAR);
-- learnt_at: when this warehouse knew it: the time of loading; of bundled rows the time their compilers saw them.
-- revision 2 and up: the same bodies parsed anew (run_id of the first in revises); the one before then has the
-- state 'superseded', with its former state beside it.

-- Which sources of a run answered whole: only these let R7 and R17 count.
CREATE TABLE run_sources (run_no INTEGER, provider VARCHAR, source VARCHAR, state VARCHAR, reason VARCHAR,
    offers BIGINT, requests BIGINT);

-- How many offers each accelerator had in an accepted run (R7 on marketplaces). '' is the whole run.
CREATE TABLE run_counts (run_no INTEGER, provider VARCHAR, accelerator_id VARCHAR, offers BIGINT);

-- One row per offer: what does not change with its price, as last stated.
CREATE TABLE raw_offers (
    offer_id UBIGINT, provider VARCHAR, source VARCHAR, instance_type VARCHAR, gpu_name_raw VARCHAR,
    gpu_count_raw DOUBLE, gpu_memory_gb_raw DOUBLE, partition_raw VARCHAR, interconnect VARCHAR,
    vcpus DOUBLE, memory_gib DOUBLE, disk_gb DOUBLE, region VARCHAR, price_kind VARCHAR, term_months INTEGER,
    currency VARCHAR, is_floor BOOLEAN, effective_from DATE, available_count BIGINT, offer_key VARCHAR,
    machine_id VARCHAR, note VARCHAR, source_url VARCHAR, first_party BOOLEAN, kind VARCHAR, title VARCHAR,
    stated_at TIMESTAMPTZ, attributes_hash UBIGINT, observed_at TIMESTAMPTZ, first_run_no INTEGER,
    learnt_at TIMESTAMPTZ);

-- One row per price that an offer ever had; a price seen again adds only a sighting. crawler: whose runs say
-- it; other than the offer's provider where a compiled catalogue describes that cloud.
CREATE TABLE raw_states (
    state_no INTEGER, offer_id UBIGINT, crawler VARCHAR, source VARCHAR,
    price_raw VARCHAR, price_unit VARCHAR, tax_rate DOUBLE, upfront_raw VARCHAR, currency VARCHAR,
    available BOOLEAN, price_per_hour DECIMAL(20, 10), run_no INTEGER);

-- Where answers come from: an address, and the how-manieth answer of it within a run. raw_bodies: which bytes
-- each run got there; every run that lists anything has a row.
CREATE TABLE raw_places (place_no INTEGER, crawler VARCHAR, source_url VARCHAR, ordinal INTEGER);
CREATE TABLE raw_bodies (run_no INTEGER, place_no INTEGER, body_sha256 VARCHAR);

-- Observations, as what differs from the crawler's run loaded before (run_no order, runs that list something):
-- from this run on the state is listed at this place, or no longer listed. A price seen again adds nothing.
-- sound: no rule spoke against the row itself; whether it counts depends on run, source and raw_decisions too.
-- The view raw_sightings (sightings.sql) gives one row per run and state back.
CREATE TABLE raw_listings (run_no INTEGER, state_no INTEGER, place_no INTEGER, sound BOOLEAN, listed BOOLEAN);

-- Append-only: what somebody (or a rule's confirmation) decided later about a sighting.
CREATE TABLE raw_decisions (run_no INTEGER, state_no INTEGER, accepted BOOLEAN, decided_at TIMESTAMPTZ);

-- How many machines could be had, where that is stated and differs from what was known before.
CREATE TABLE raw_stock (run_no INTEGER, offer_id UBIGINT, available_count BIGINT);

-- What the newest loaded run of each crawler lists: the last word of raw_listings, kept for speed.
CREATE TABLE core_listed (crawler VARCHAR, state_no INTEGER, place_no INTEGER, sound BOOLEAN);

CREATE TABLE core_offers (
    offer_id UBIGINT, provider VARCHAR, accelerator_id VARCHAR, candidates VARCHAR[], family VARCHAR,
    partition VARCHAR, gpu_count DOUBLE, gpu_memory_gb DOUBLE, country VARCHAR, continent VARCHAR,
    learnt_at TIMESTAMPTZ);

-- Validity spans in the provider's time. last_seen: last accepted sighting; last_listed: held ones too.
-- learnt_at, end_learnt_at: when start and end were known here.
-- closed_by: price, withdrawn, superseded (bundled rows); NULL: open. crawler: as in raw_states.
CREATE TABLE core_spans (
    offer_id UBIGINT, crawler VARCHAR, source VARCHAR, valid_from TIMESTAMPTZ, valid_to TIMESTAMPTZ,
    last_seen TIMESTAMPTZ, last_listed TIMESTAMPTZ, closed_by VARCHAR, closed_at TIMESTAMPTZ, price_per_hour DECIMAL(20, 10),
    currency VARCHAR, available BOOLEAN, state_no INTEGER, run_no INTEGER, last_run_no INTEGER,
    bundled BOOLEAN, learnt_at TIMESTAMPTZ, end_learnt_at TIMESTAMPTZ);

CREATE TABLE core_price_days (
    day DATE, provider VARCHAR, accelerator_id VARCHAR, candidates VARCHAR[], family VARCHAR, price_kind VARCHAR,
    min_usd_per_gpu_hour DOUBLE, median_usd_per_gpu_hour DOUBLE, offers INTEGER, first_party BOOLEAN,
    origin VARCHAR, source_url VARCHAR, compiled BOOLEAN, learnt_at TIMESTAMPTZ);

CREATE TABLE quarantine (
    id VARCHAR, run_id VARCHAR, provider VARCHAR, offer_id UBIGINT, rule VARCHAR, level VARCHAR,
    evidence VARCHAR, first_seen TIMESTAMPTZ, last_seen TIMESTAMPTZ, confirmations INTEGER, status VARCHAR,
    source VARCHAR, instance_type VARCHAR, accelerator_id VARCHAR, candidates VARCHAR[], partition VARCHAR,
    gpu_name_raw VARCHAR, gpu_count DOUBLE, gpu_memory_gb DOUBLE, region VARCHAR, price_kind VARCHAR,
    term_months INTEGER, price_per_hour DOUBLE, currency VARCHAR, price_raw VARCHAR, price_unit VARCHAR,
    price_usd_per_hour DOUBLE, price_usd_per_gpu_hour DOUBLE, available BOOLEAN, offer_key VARCHAR,
    source_url VARCHAR, body_sha256 VARCHAR);

CREATE TABLE fx_rates (rate_date DATE, currency VARCHAR, units_per_eur DOUBLE, source_url VARCHAR, origin VARCHAR);
