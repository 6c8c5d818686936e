"""Sigma rules: text to rule (sigma), to rows (matcher), over time (correlation), to sightings (watch)."""
