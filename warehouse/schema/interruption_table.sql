-- Of spot offers whose provider says how many such machines it took back within a month: the newest band, as a share.
CREATE TABLE IF NOT EXISTS raw_interruptions (
    offer_id UBIGINT, interruption_rate_low DOUBLE, interruption_rate_high DOUBLE, observed_at TIMESTAMPTZ);
