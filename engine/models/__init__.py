"""Models: `fit` and `score`, the same two verbs for each; and what turns scores into votes."""
