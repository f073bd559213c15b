"""Benchmarks and figures: `python -m bench` prints the budget table of the design beside our figures."""
