"""What is believed of success: a hierarchical logistic model over (kind of threat, class of asset, playbook).

The log-odds of success in a cell are the documented ones plus independent normal deviations: of the playbook, of the
playbook on this kind, of the playbook on this class, of the cell alone, and of the context (kind and class), which all
playbooks share: some threats are hard for every one. Their standard deviations are `Spread`. So a cell without outcomes
borrows from its neighbours, and one with many stands by itself (partial pooling).

The posterior is normal after one step of Fisher scoring from shrunken rates (a Laplace approximation without the
iteration), which makes it a function of the counts alone. Given the contexts' difficulties the playbooks are
independent: one small system a playbook, and one for the difficulties, instead of one over all cells.
[Gelman, Hill: Data analysis using regression and multilevel models, 2007; Rasmussen, Williams: Gaussian processes for
machine learning, 2006, 3.4; McCullagh, Nelder: Generalized linear models, 1989, 2.5]

How far the documents are right is learned as well: all playbooks share an offset (optimism) and a slope (trust) of the
documented log-odds, so that a table that proves wrong in some places is believed less in all. [Cox: Two further
applications of a model for binary regression, Biometrika 1958]

    >>> nothing = believe({}, ("beacon", "server"), {"block": 0.7}, Spread())
    >>> round(nothing.estimate(0).low, 2), round(nothing.estimate(0).high, 2)
    (0.09, 0.98)
    >>> told = {("beacon", "client", "block"): Cell(documented=0.7, trials=50, successes=10)}
    >>> elsewhere = believe(told, ("beacon", "server"), {"block": 0.7}, Spread())
    >>> elsewhere.estimate(0).mean < nothing.estimate(0).mean      # it failed on clients: less is expected on servers
    True
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.facts.response import Estimate
from engine.planning.amounts import Sums, Z

Floats: TypeAlias = NDArray[np.float64]

SHRUNKEN: Final = 4.0
"""Documented outcomes added to a cell's own to get the rate from which the step is taken."""

SURE: Final = 0.02
"""Documented probabilities closer than this to 0 or 1 count as this: no document is that sure."""


class Cell(msgspec.Struct, array_like=True):
    """Outcomes of a playbook on a kind and class, and the success that was documented."""

    documented: float
    trials: int = 0
    successes: int = 0
    seconds: Sums = msgspec.field(default_factory=Sums)
    cost: Sums = msgspec.field(default_factory=Sums)


UNSURE: Final = 1.25
"""By what an interval is wider than the posterior says: that is one step of an approximation with spreads taken for
certain, and what is asked about was mostly chosen because it looked good. Set so that nine of ten intervals hold the
truth, on the seeds on which the priors were set."""

UNDOCUMENTED: Final = 0.6
"""Success of a playbook of which nothing is documented, and the middle around which `trust` turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Standard deviations of the terms, in log-odds.

    A document is worth about 1 / (p (1 - p) (playbook^2 + on_kind^2)) outcomes: 15 at p = .6. The more `trust` and
    `optimism`, the sooner a wrong table is found out.
    """

    playbook: float = 0.2
    on_kind: float = 0.5
    on_class: float = 1.0
    cell: float = 0.8
    context: float = 0.4
    optimism: float = 0.5
    trust: float = 0.6


STANDARD: Final = Spread()


@dataclass(frozen=True, slots=True)
class Belief:
    """Log-odds of success of some playbooks in one context: jointly normal.

    Attributes:
        mean: shape (playbooks,).
        covariance: shape (playbooks, playbooks).
    """

    mean: Floats
    covariance: Floats

    def better_than(self, other: int) -> Floats:
        """For every playbook the probability that it is better than the one at index `other`."""
        variance = np.diag(self.covariance) + self.covariance[other, other] - 2.0 * self.covariance[other]
        return normal_cdf((self.mean - self.mean[other]) / np.sqrt(np.maximum(variance, 1e-12)))

    def draws(self, normals: Floats) -> Floats:
        """Draws of the log-odds from standard normal ones, both of shape (draws, playbooks)."""
        root = np.linalg.cholesky(self.covariance + 1e-9 * np.eye(len(self.mean)))
        return self.mean + normals @ root.T

    def estimate(self, index: int) -> Estimate:
        """The expected probability of success with its 90% interval."""
        mean, deviation = float(self.mean[index]), float(np.sqrt(self.covariance[index, index]))
        half = Z * UNSURE * deviation
        low, high = expit(np.array([mean - half, mean + half])).tolist()
        # MacKay 1992: the mean of a logistic function under a normal, to about .01
        middle = float(expit(np.array(mean / np.sqrt(1.0 + np.pi / 8.0 * deviation**2))))
        return Estimate(mean=round(middle, 6), low=round(low, 6), high=round(high, 6))


def believe(
    cells: Mapping[tuple[str, str, str], Cell],
    context: tuple[str, str],
    documented: Mapping[str, float],
    spread: Spread,
) -> Belief:
    """What is believed of the playbooks named in `documented` (in its order) in a context (kind, class)."""
    contexts = {place: i for i, place in enumerate(sorted({key[:2] for key in cells} | {context}))}
    playbooks = {name: i for i, name in enumerate(dict.fromkeys([*documented, *sorted({key[2] for key in cells})]))}
    counts = np.zeros((3, len(playbooks), len(contexts)))
    counts[2] = UNDOCUMENTED
    for key, cell in cells.items():
        counts[:, playbooks[key[2]], contexts[key[:2]]] = cell.trials, cell.successes, cell.documented
    here, wanted = contexts[context], len(documented)
    # what is documented today counts where the choice is made; elsewhere what was when the outcomes came
    counts[2, :wanted, here] = list(documented.values())
    counts[2] = np.clip(counts[2], SURE, 1.0 - SURE)
    mean, covariance = _solve(counts, priors(list(contexts), spread), here, wanted)
    return Belief(logit(counts[2, :wanted, here]) + mean, covariance)


def priors(contexts: list[tuple[str, str]], spread: Spread) -> tuple[Floats, Floats]:
    """Covariances of one playbook's deviations over the contexts, and of what all playbooks share."""
    kinds, classes = (np.array(names) for names in zip(*contexts, strict=True))
    same_kind = (kinds[:, None] == kinds).astype(float)
    same_class = (classes[:, None] == classes).astype(float)
    alone = np.eye(len(contexts))
    own = spread.playbook**2 + spread.on_kind**2 * same_kind + spread.on_class**2 * same_class + spread.cell**2 * alone
    shared = np.diag(np.array([0.0] * len(contexts) + [spread.optimism**2, spread.trust**2]))
    shared[:-2, :-2] = spread.context**2 * (0.25 * same_kind + 0.25 * same_class + 0.5 * alone)
    return own, shared


def _solve(counts: Floats, deviations: tuple[Floats, Floats], here: int, wanted: int) -> tuple[Floats, Floats]:
    """Posterior mean and covariance of the deviations of the first `wanted` playbooks in context `here`."""
    (weight, response, first), (own, shared) = observed(counts), deviations
    root = np.sqrt(weight)
    size = weight.shape[1]
    inner = np.linalg.inv(np.eye(size) + root[:, :, None] * own * root[:, None, :])
    precision = root[:, :, None] * inner * root[:, None, :]
    loads = loads_of(first)
    told = precision @ response[:, :, None]
    turned = loads.transpose(0, 2, 1)
    spread = np.linalg.inv(np.linalg.inv(shared) + (turned @ precision @ loads).sum(axis=0))
    common = spread @ (turned @ told).sum(axis=0)
    reach = precision[:wanted] @ own[here]
    moved = loads[:wanted, here] - (turned[:wanted] @ reach[:, :, None])[:, :, 0]
    alone = own[here, here] - reach @ own[here]
    mean = told[:wanted, :, 0] @ own[here] + moved @ common[:, 0]
    return mean, np.diag(alone) + moved @ spread @ moved.T


def observed(counts: Floats) -> tuple[Floats, Floats, Floats]:
    """Trials, successes and documented rates, shape (3, playbooks, contexts), as the linear model sees them.

    Returns:
        Weights, deviations of the log-odds from the documented ones, and the documented rates.
    """
    trials, successes, first = counts
    rate = (successes + SHRUNKEN * first) / (trials + SHRUNKEN)
    weight = trials * rate * (1.0 - rate)
    response = logit(rate) - logit(first) + (successes - trials * rate) / np.maximum(weight, 1e-9)
    return weight, response, first


def loads_of(first: Floats) -> Floats:
    """What all playbooks share: a difficulty of every context, optimism and trust of the table.

    Shape (playbooks, contexts, contexts + 2).
    """
    own = np.broadcast_to(np.eye(first.shape[1]), (*first.shape, first.shape[1]))
    trust = logit(first) - logit(np.array(UNDOCUMENTED))
    return np.concatenate([own, np.stack([np.ones_like(first), trust], axis=2)], axis=2)


def logit(probability: Floats) -> Floats:
    """Log-odds."""
    return np.asarray(np.log(probability / (1.0 - probability)))


def expit(log_odds: Floats) -> Floats:
    """The probability that has these log-odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds)))


def normal_cdf(values: Floats) -> Floats:
    """The distribution function of the standard normal."""
    from math import erf

    return np.array([0.5 * (1.0 + erf(value / 2.0**0.5)) for value in values.tolist()])
