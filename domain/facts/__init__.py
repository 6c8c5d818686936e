"""The facts, one module a family of streams. Past tense, frozen, coded by `kind`."""
