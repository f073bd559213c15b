"""Fetch what providers publish, report it verbatim, keep the bytes. Knows no database."""
