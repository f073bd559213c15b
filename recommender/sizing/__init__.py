"""Physics: memory, FLOPs, bandwidth and time of a workload on a machine. Knows no price."""
