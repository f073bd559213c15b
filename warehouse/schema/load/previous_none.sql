CREATE OR REPLACE TEMP TABLE previous (offer_id UBIGINT, price_per_hour DECIMAL(20, 10));
