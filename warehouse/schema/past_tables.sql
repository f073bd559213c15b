-- What was believed until unlearnt_at, and no longer is: what --as-of an earlier day still answers from.
CREATE TABLE core_past_spans AS SELECT *, NULL::TIMESTAMPTZ AS unlearnt_at FROM core_spans LIMIT 0;
CREATE TABLE core_past_offers AS SELECT *, NULL::TIMESTAMPTZ AS unlearnt_at FROM core_offers LIMIT 0;
CREATE TABLE raw_past_offers AS SELECT *, NULL::TIMESTAMPTZ AS unlearnt_at FROM raw_offers LIMIT 0;
CREATE TABLE core_past_price_days AS SELECT *, NULL::TIMESTAMPTZ AS unlearnt_at FROM core_price_days LIMIT 0;
