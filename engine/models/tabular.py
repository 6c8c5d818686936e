"""Tables of single flows as matrices: what has no host and no time yet, such as a labelled data set.

Rules:
    1. Numbers stay numbers; a column of sizes (never negative, its maximum ten times its mean and more) enters as
       log(1 + value).
    2. A category enters by how rare it was among the rows that were normal: -log of its share; so does the combination
       of all categories. A category never seen is the rarest. No label has a part in it.
    3. For learning from verdicts the categories' plain codes (most frequent first) stand beside their rarity.

    >>> import numpy as np
    >>> columns = {"bytes": np.array([1.0, 2.0, 5000.0]), "proto": np.array(["tcp", "tcp", "udp"])}
    >>> Encoder.of(columns, codes=False).apply(columns)[2].round(2).astype(str).tolist()
    ['5000.0', '1.1', '1.1']
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.models.base import Matrix

Columns = Mapping[str, NDArray[Any]]
"""A table: numbers or text by column name."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """What was learned of a table's columns: which are sizes, and how often each category came."""

    sizes: dict[str, bool]
    shares: dict[str, Counter[str]]
    joint: Counter[tuple[str, ...]]
    rows: int
    codes: bool

    @classmethod
    def of(cls, columns: Columns, *, codes: bool) -> Encoder:
        """Learn from rows; `codes` puts the plain codes of categories beside their rarity."""
        texts = [name for name, column in columns.items() if column.dtype.kind in "UOT"]
        sizes = {name: _is_size(column) for name, column in columns.items() if name not in texts}
        shares = {name: Counter(columns[name].tolist()) for name in texts}
        joint = Counter(zip(*(columns[name].tolist() for name in texts), strict=True))
        return cls(sizes, shares, joint, len(next(iter(columns.values()))), codes)

    def apply(self, columns: Columns) -> Matrix:
        """The matrix of a table."""
        made = [np.log1p(columns[n]) if size else np.asarray(columns[n], float) for n, size in self.sizes.items()]
        for name, shares in self.shares.items():
            told = columns[name].tolist()
            made.append(self._rarity(shares, told))
            if self.codes:
                order = {value: place for place, (value, _) in enumerate(shares.most_common())}
                made.append(np.array([order.get(value, len(order)) for value in told], float))
        if self.shares:
            told = list(zip(*(columns[name].tolist() for name in self.shares), strict=True))
            made.append(self._rarity(self.joint, told))
        return np.column_stack(made).astype(np.float32)

    def _rarity(self, shares: Counter[Any], told: list[Any]) -> NDArray[np.float64]:
        counts = np.array([shares[value] for value in told], float)
        return np.asarray(-np.log(np.maximum(counts, 0.5) / self.rows))


def _is_size(column: NDArray[Any]) -> bool:
    return bool(column.min() >= 0 and column.max() > max(1.0, 10.0 * float(column.mean())))
