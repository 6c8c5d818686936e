"""The region reports health and survives the loss of a region."""
