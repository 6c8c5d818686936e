"""Labelled flow tables (NSL-KDD, UNSW-NB15) read for measuring: columns without the label, and the label apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import MyrmidonError


class DataMissing(MyrmidonError):  # noqa: N818 - says what it is
    """A data set of the benchmark is not where it should be."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name, and whether each row is an attack."""

    columns: dict[str, NDArray[Any]]
    attack: NDArray[np.bool_]

    def where(self, chosen: NDArray[Any]) -> Table:
        """The rows chosen by a mask or by index."""
        return Table({name: column[chosen] for name, column in self.columns.items()}, self.attack[chosen])

    @property
    def repeated(self) -> float:
        """Share of rows whose columns repeat those of an earlier row."""
        rows = zip(*(column.tolist() for column in self.columns.values()), strict=True)
        return 1.0 - len(set(rows)) / len(self.attack)


def nsl_kdd(folder: Path, name: str) -> Table:
    """A part of NSL-KDD: its 41 features (the difficulty is no feature)."""
    read = _read(folder / "nsl-kdd" / f"{name}.parquet")
    attack = read.pop("label") != "normal"
    del read["difficulty"]
    return Table(read, attack)


def unsw_nb15(folder: Path) -> Table:
    """The 82,332 rows of UNSW-NB15: 42 features (neither the row number nor the attack's category is one).

    The two directions of a flow are set against each other in `_both_ways`, as our own features do.
    """
    read = _read(folder / "unsw-nb15" / "UNSW_NB15_82332.parquet")
    attack = read.pop("label").astype(int) > 0
    del read["id"], read["attack_cat"]
    return Table(read | _both_ways(read), attack)


def _both_ways(flow: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Packet sizes, and what went out against what came in."""
    return {
        "packet_size_out": flow["sbytes"] / (flow["spkts"] + 1),
        "packet_size_in": flow["dbytes"] / (flow["dpkts"] + 1),
        "bytes_out_over_in": (flow["sbytes"] + 1) / (flow["dbytes"] + 1),
        "packets_out_over_in": (flow["spkts"] + 1) / (flow["dpkts"] + 1),
        "load_out_over_in": flow["sload"] / (flow["dload"] + 1),
        "gap_out_over_in": flow["sinpkt"] / (flow["dinpkt"] + 1e-3),
        "size_difference": flow["smean"] - flow["dmean"],
        "hops_difference": flow["sttl"] - flow["dttl"],
    }


def _read(path: Path) -> dict[str, NDArray[Any]]:
    import pyarrow.parquet as pq

    if not path.exists():
        raise DataMissing(f"{path}: no such data set; give the folder that holds it with --data")
    table = pq.read_table(path)
    return {name: np.array(table[name].to_pylist()) for name in table.column_names}
