"""A world of incidents whose true success probabilities are known: what `bench response` measures in.

Rules:
    1. 8 kinds of threat, 5 classes of asset, 6 playbooks, all reversible. The true probability that a playbook contains
       a threat of a kind on a class is, on the scale of probabilities and not of the learner's log-odds,

           base(kind, playbook) + strength * (sqrt(1 - alone) * fit(class, playbook) + sqrt(alone) * own(cell)) - hard

       cut to .02-.98. `base` is uniform on .35-.85, `fit` and `own` are uniform with mean 0 and variance 1, `hard(kind,
       class)` is uniform on 0-.1. None of it is normal. `alone` is the share of the interaction that no two cells have
       in common: at 1 there is nothing to pool over kinds.
    2. Kinds and classes come independently, with shares drawn from a Dirichlet distribution (3, 3, ...).
    3. A table is what an expert wrote down by kind and playbook, blind to the classes: the true mean over the classes
       plus normal noise (`GOOD`, `POOR`), cut to .05-.95. Its choice is its highest entry.
    4. Seconds are log-normal, costs are gamma; their means are the table's times a factor of the cell.
    5. Everything is drawn from the seed of the world.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

KINDS: Final = 8
CLASSES: Final = 5
PLAYBOOKS: Final = 6
SHAPE: Final = (KINDS, CLASSES, PLAYBOOKS)

GOOD: Final = 0.05
POOR: Final = 0.4
"""Standard deviations of the noise of a good and of a poor table."""

STRENGTH: Final = 0.2
ALONE: Final = 0.25

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class World:
    """The truth of one seed.

    Attributes:
        success: true probability, shape (kinds, classes, playbooks).
        seconds, cost: true means, the same shape.
        kinds, classes: shares of the kinds and classes among the incidents.
        table: documented success, shape (kinds, playbooks).
        documented: documented seconds and costs, shape (2, playbooks).
    """

    success: Floats
    seconds: Floats
    cost: Floats
    kinds: Floats
    classes: Floats
    table: Floats
    documented: Floats

    @property
    def expert(self) -> NDArray[np.int64]:
        """The table's choice for every kind."""
        return np.asarray(np.argmax(self.table, axis=1))

    def value(self, shares: Floats) -> float:
        """True success rate of a policy: its chances, shape (kinds, classes, playbooks), over the incidents to come."""
        context = self.kinds[:, None] * self.classes
        return float((context[:, :, None] * shares * self.success).sum())


def draw(seed: int, noise: float, *, strength: float = STRENGTH, alone: float = ALONE) -> World:
    """The world of a seed."""
    random = np.random.default_rng(seed)
    unit = 3.0**0.5
    base = random.uniform(0.35, 0.85, (KINDS, 1, PLAYBOOKS))
    fit = random.uniform(-unit, unit, (1, CLASSES, PLAYBOOKS))
    own = random.uniform(-unit, unit, SHAPE)
    hard = random.uniform(0.0, 0.1, (KINDS, CLASSES, 1))
    mixed = strength * (np.sqrt(1.0 - alone) * fit + np.sqrt(alone) * own)
    success = np.clip(base + mixed - hard, 0.02, 0.98)
    kinds, classes = random.dirichlet(np.full(KINDS, 3.0)), random.dirichlet(np.full(CLASSES, 3.0))
    told = np.einsum("kcp,c->kp", success, classes) + random.normal(0.0, noise, (KINDS, PLAYBOOKS))
    documented = np.array([random.uniform(30.0, 600.0, PLAYBOOKS), random.uniform(0.5, 8.0, PLAYBOOKS)])
    seconds, cost = (amounts * np.exp(random.normal(0.0, 0.3, SHAPE)) for amounts in documented)
    return World(success, seconds, cost, kinds, classes, np.clip(told, 0.05, 0.95), documented)


@dataclass(frozen=True, slots=True)
class Incidents:
    """What happens in a world, whatever is chosen: one row an incident.

    Attributes:
        kinds, classes: index of each incident's kind and class.
        luck: uniform; a playbook with true probability above it contains the incident.
        scatter: seconds and costs as a multiple of their mean, shape (2, incidents).
    """

    kinds: NDArray[np.int64]
    classes: NDArray[np.int64]
    luck: Floats
    scatter: Floats


def happen(world: World, count: int, seed: int) -> Incidents:
    """The incidents of a world."""
    random = np.random.default_rng([seed, 1])
    kinds = random.choice(KINDS, count, p=world.kinds)
    classes = random.choice(CLASSES, count, p=world.classes)
    spread = 0.6
    seconds = random.lognormal(-(spread**2) / 2, spread, count)
    return Incidents(kinds, classes, random.random(count), np.array([seconds, random.gamma(4.0, 0.25, count)]))
