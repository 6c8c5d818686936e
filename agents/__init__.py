"""Policy, commands, state, `decide` and `evolve` of the five agents. Pure: no clock, no randomness, no I/O."""
