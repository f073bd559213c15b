"""View models, charts, templates and the static site."""
