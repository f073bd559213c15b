-- What the checks keep of a run to measure the next ones by, what they found, and who decided what in quarantine.
CREATE TABLE IF NOT EXISTS run_bodies (run_no INTEGER, provider VARCHAR, bodies INTEGER, body_bytes BIGINT, body_digest VARCHAR);
CREATE TABLE IF NOT EXISTS run_fields (run_no INTEGER, provider VARCHAR, field VARCHAR, share DOUBLE);
CREATE TABLE IF NOT EXISTS run_findings (run_no INTEGER, provider VARCHAR, rule VARCHAR, level VARCHAR, found BIGINT, example VARCHAR);
CREATE TABLE IF NOT EXISTS quarantine_audit (decided_at TIMESTAMPTZ, id VARCHAR, action VARCHAR, who VARCHAR, note VARCHAR, run_id VARCHAR,
    provider VARCHAR, offer_id UBIGINT, rule VARCHAR, price_per_hour DOUBLE, price_raw VARCHAR, price_unit VARCHAR);
