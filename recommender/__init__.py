"""Workload to sizing to plans to priced, ranked, explained recommendations."""
