"""The market kept: records, reference facts, cleaning, checks, history and queries, in DuckDB."""
