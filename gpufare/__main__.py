"""``python -m gpufare``."""

from gpufare.cli.main import run

run()
