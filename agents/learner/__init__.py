"""The learner names the models that were fitted."""
