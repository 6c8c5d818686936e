"""How far the truth lies from the documents, learned from the outcomes themselves (empirical Bayes).

`Spread` says how much success may differ from what is documented, by kind and by class of asset. Whether it does is a
property of the house. Where the class of asset does not matter, to believe that it does is to take chance for truth;
where the documents are right, to look for something better costs more than it brings. So the two parts of the spread
are multiplied by a factor each: every pair on a grid is weighed by how likely it makes the outcomes (the marginal
likelihood, under the same one step of Fisher scoring as the posterior), and the squares are averaged by these weights.
The factor by class is sharpened (`SHARP`): while it is not certain whether classes matter, their average lies between,
which is too much belief where they do not and too little where they do.
[Morris: Parametric empirical Bayes inference, JASA 1983; MacKay: Bayesian interpolation, Neural Computation 1992]

    >>> told = {(kind, held, "block"): Cell(documented=0.7, trials=50, successes=35) for kind in "ab" for held in "xyz"}
    >>> weigh(told, Spread())[1] < 0.5                                 # no class differs: classes do not matter here
    True
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from engine.planning.posterior import UNDOCUMENTED, Cell, Floats, Spread, loads_of, observed, priors

BY_KIND: Final = (0.35, 1.0, 2.0)
"""Factors on how far a document may be wrong (`playbook`, `on_kind`)."""

BY_CLASS: Final = (0.05, 0.3, 0.6, 1.0)
"""Factors on how much the class of asset may matter (`on_class`, `cell`)."""

SHARP: Final = 2.5
"""The square of the factor by class is multiplied by this, up to 1; set on the seeds on which the priors were."""


def weigh(cells: Mapping[tuple[str, str, str], Cell], spread: Spread) -> tuple[float, float]:
    """The factors (by kind, by class) that the outcomes speak for; 1 each when there are none."""
    contexts = sorted({key[:2] for key in cells})
    playbooks = {name: i for i, name in enumerate(sorted({key[2] for key in cells}))}
    if not contexts:
        return 1.0, 1.0
    counts = np.zeros((3, len(playbooks), len(contexts)))
    counts[2] = UNDOCUMENTED
    places = {place: i for i, place in enumerate(contexts)}
    for key, cell in cells.items():
        counts[:, playbooks[key[2]], places[key[:2]]] = cell.trials, cell.successes, cell.documented
    grid = [(kind, held) for kind in BY_KIND for held in BY_CLASS]
    spreads = [scaled(spread, kind, held) for kind, held in grid]
    likelihood = _likelihood(counts, contexts, spreads)
    weights = np.exp(likelihood - likelihood.max())
    kind, held = np.sqrt(weights @ np.square(grid) / weights.sum()).tolist()
    return round(kind, 6), round(min(1.0, SHARP * held**2), 6)


def scaled(spread: Spread, by_kind: float, by_class: float) -> Spread:
    """A spread with factors on its two parts."""
    return replace(
        spread,
        playbook=spread.playbook * by_kind,
        on_kind=spread.on_kind * by_kind,
        on_class=spread.on_class * by_class,
        cell=spread.cell * by_class,
    )


def _likelihood(counts: Floats, contexts: list[tuple[str, str]], spreads: list[Spread]) -> Floats:
    """Logarithm of the marginal likelihood of the outcomes under each spread, up to a constant."""
    own = np.stack([priors(contexts, each)[0] for each in spreads])
    shared = priors(contexts, spreads[0])[1]
    weight, response, first = observed(counts)
    root, size = np.sqrt(weight), len(contexts)
    inner = np.eye(size) + root[:, :, None] * own[:, None] * root[:, None, :]
    precision = root[:, :, None] * np.linalg.inv(inner) * root[:, None, :]
    loads = loads_of(first)
    told = (precision @ response[:, :, None])[..., 0]
    turned = loads.transpose(0, 2, 1)
    joint = np.linalg.inv(shared) + (turned @ precision @ loads).sum(axis=1)
    common = np.einsum("plc,gpc->gl", turned, told)
    explained = np.einsum("gl,gl->g", common, np.linalg.solve(joint, common[..., None])[..., 0])
    fit = np.einsum("pc,gpc->g", response, told) - explained
    volume = np.linalg.slogdet(inner)[1].sum(axis=1) + np.linalg.slogdet(joint)[1]
    return np.asarray(-0.5 * (fit + volume))
