"""gpufare: what any AI workload costs, on any cloud GPU, today."""

__version__ = "0.1.0"
