-- Whose runs say it: until now only a provider's own runs spoke of it, so the name alone changes.
ALTER TABLE raw_states RENAME COLUMN provider TO crawler;
ALTER TABLE core_spans RENAME COLUMN provider TO crawler;
ALTER TABLE core_price_days ADD COLUMN compiled BOOLEAN;
