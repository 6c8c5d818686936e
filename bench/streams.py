"""The streams with few verdicts: UNSW-NB15 and NSL-KDD, and beside them the random split that the field quotes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.feedback import learn_along
from bench.tables import Table, nsl_kdd, unsw_nb15
from bench.unsupervised import Novelty, normal_only, share
from engine.models.base import Matrix
from engine.models.supervised import Supervised

UNSW_BLOCK: Final = 2_000
NSL_BLOCK: Final = 1_000
PROMISE: Final = 0.01

PROTOCOL: Final = (
    "verdicts on 5% of the rows of every block (70% of them near the threshold, 15% novel but called normal, 15% "
    "random; rows that repeat share one question); a block is decided before its verdicts, and nothing else of its "
    "labels is ever read; figures of the second half; "
    f"the false-positive rate aimed at is {PROMISE:.1%}. UNSW-NB15: 82,332 rows in the order of a seeded shuffle (the "
    f"file is sorted by class), blocks of {UNSW_BLOCK}, novelty models and encoding from the first block without "
    "labels; unsw_repeated_share of its rows repeat another row. NSL-KDD: KDDTest+ in file order, blocks of "
    f"{NSL_BLOCK}, novelty models and encoding from the normal rows of KDDTrain+. random_split_*: accuracy and "
    "false-positive rate of the same model on a random half of KDDTrain+ or UNSW-NB15 after training on the other "
    "half: no protocol of ours, shown because the field quotes such numbers"
)

RANDOM_ROWS: Final = 40_000


def measure_unsw(folder: Path, seed: int) -> dict[str, float]:
    """UNSW-NB15 with verdicts on 5%."""
    table = unsw_nb15(folder)
    table = table.where(np.random.default_rng(seed).permutation(len(table.attack)))
    half = UNSW_BLOCK // 2
    first, second = (table.where(np.arange(begin, begin + half)) for begin in (0, half))
    novelty = Novelty.of(first, second, codes=True, seed=seed)
    rows, p = _inputs(novelty, table)
    outcome = learn_along(rows, p, table.attack, promise=PROMISE, block=UNSW_BLOCK, seed=seed)
    figures = outcome.figures("unsw_5_percent", table.attack)
    return figures | {"unsw_repeated_share": round(table.repeated, 4)} | _random_split("unsw", rows, table, seed)


def measure_nsl(folder: Path, seed: int) -> dict[str, float]:
    """KDDTest+ with verdicts on 5%."""
    train, test = nsl_kdd(folder, "KDDTrain+"), nsl_kdd(folder, "KDDTest+")
    novelty = normal_only(train, codes=True, seed=seed)
    rows, p = _inputs(novelty, test)
    outcome = learn_along(rows, p, test.attack, promise=PROMISE, block=NSL_BLOCK, seed=seed)
    some = train.where(np.sort(np.random.default_rng(seed).permutation(len(train.attack))[:RANDOM_ROWS]))
    return outcome.figures("nsl_5_percent", test.attack) | _random_split("nsl", _inputs(novelty, some)[0], some, seed)


def _inputs(novelty: Novelty, table: Table) -> tuple[Matrix, NDArray[np.float64]]:
    """What the learning model reads (features and novelty scores), and the consensus p-values."""
    rows, scores, p = novelty.judge(table)
    return np.column_stack([rows, scores.astype(np.float32)]), p


def _random_split(name: str, rows: Matrix, table: Table, seed: int) -> dict[str, float]:
    """Train on a random half, judge the other one at log-odds 0 (at most `RANDOM_ROWS` rows in all)."""
    order = np.random.default_rng(seed).permutation(len(rows))[:RANDOM_ROWS]
    learned, judged = order[: len(order) // 2], order[len(order) // 2 :]
    model = Supervised.fit(rows[learned], table.attack[learned], seed)
    flagged, truth = model.score(rows[judged]) > 0, table.attack[judged]
    return {
        f"random_split_{name}_accuracy": share(flagged == truth),
        f"random_split_{name}_fpr": share(flagged[~truth]),
    }
