"""From scores to verdicts: consensus of the models, a threshold that verdicts track, severity."""
