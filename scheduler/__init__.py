"""Who runs when: the runner of the agents, the jobs, and `bootstrap`, the only wiring."""
