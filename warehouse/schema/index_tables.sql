-- What compiled catalogues that ship with the package say of single offers, by day: native price of the whole
-- machine per hour. The index follows the same offer from day to day, which a provider's daily levels cannot do.
CREATE TABLE IF NOT EXISTS core_compiled_prices (
    offer_id UBIGINT, day DATE, provider VARCHAR, accelerator_id VARCHAR, family VARCHAR, price_kind VARCHAR,
    price_per_hour DECIMAL(20, 10), currency VARCHAR, gpu_count DOUBLE);
