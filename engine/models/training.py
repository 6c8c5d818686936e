"""Fitting in a process of its own: the learning libraries come and go with it.

pyod and scikit-learn cost about 150 MiB that never come back. A daemon that fits once and then only scores leaves
them to a short-lived child: rows in on standard input, the model's bytes out. The result is the same to the last bit.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from threading import Thread

import msgspec
import numpy as np

from domain.errors import MyrmidonError
from engine.models.base import Matrix
from engine.models.isolation import IsolationForest, fit

TIMEOUT_S = 300


class TrainingFailed(MyrmidonError):  # noqa: N818 - says what it is
    """The process that fits a model ended without one."""


class _Order(msgspec.Struct):
    columns: int
    seed: int
    rows: bytes


def fit_apart(rows: Matrix, seed: int) -> IsolationForest:
    """Fit an isolation forest as `isolation.fit` does, in a child process.

    Raises:
        TrainingFailed: the child ended with an error, or not at all.
    """
    order = msgspec.msgpack.encode(_Order(rows.shape[1], seed, np.asarray(rows, "<f4").tobytes()))
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", __name__], input=order, capture_output=True, check=True, timeout=TIMEOUT_S
        )
    except subprocess.SubprocessError as error:
        said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else str(error)
        raise TrainingFailed(
            f"isolation-forest: training failed ({reason}): check memory and the installation"
        ) from error
    return IsolationForest.load(child.stdout, sha256(child.stdout).hexdigest())


def begin_apart(rows: Matrix, seed: int) -> Callable[[], IsolationForest]:
    """Begin to fit in a child process beside the work; what is returned waits for the result."""
    done: list[IsolationForest | TrainingFailed] = []

    def work() -> None:
        try:
            done.append(fit_apart(rows, seed))
        except TrainingFailed as error:
            done.append(error)

    # a daemon: a run that ends before the forest was needed does not wait for it
    thread = Thread(target=work, name="fit-isolation-forest", daemon=True)
    thread.start()

    def result() -> IsolationForest:
        thread.join()
        if isinstance(done[0], TrainingFailed):
            raise done[0]
        return done[0]

    return result


def main() -> None:
    """The child: one order in, one model out."""
    order = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=_Order)
    rows = np.frombuffer(order.rows, "<f4").reshape(-1, order.columns)
    sys.stdout.buffer.write(fit(rows, order.seed).dump())


if __name__ == "__main__":
    main()
