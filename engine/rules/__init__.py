"""Sigma rules: text to rule (sigma), rule to rows (matcher), rows over time (correlation), rows to sightings (watch)."""
