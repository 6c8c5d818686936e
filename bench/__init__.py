"""Generated telemetry with known truth, and the measurements: ratios taken in one run."""
