"""Everything that touches the world: event log, feeds, artifact store, locks."""
