"""The rules-plus-ML engine. Columns in, sightings out. Knows no log."""
