"""The detector turns what the engine sensed into threats and ledger entries."""
