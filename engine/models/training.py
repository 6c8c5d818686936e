"""Fitting in a process of its own: the learning libraries come and go with it.

pyod, scikit-learn and hmmlearn cost about 200 MiB that never come back. A daemon that fits once and then only scores
leaves them to a short-lived child: windows in on standard input, the bytes of every model out. The result is the same
to the last bit: the child works on one thread.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from threading import Thread

import msgspec
import numpy as np

from domain.errors import MyrmidonError
from engine.models.base import Model
from engine.models.registry import family_of
from engine.models.warmup import Windows, fit_here
from engine.wire import binary_output

TIMEOUT_S = 300

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class TrainingFailed(MyrmidonError):  # noqa: N818 - says what it is
    """The process that fits the models ended without them."""


class _Order(msgspec.Struct):
    columns: int
    seed: int
    rows: bytes
    letters: list[bytes]


def fit_apart(windows: Windows, seed: int) -> list[Model]:
    """Fit every family as `warmup.fit_here` does, in a child process.

    Raises:
        TrainingFailed: the child ended with an error, or not at all.
    """
    rows = np.asarray(windows.vectors, "<f4")
    order = msgspec.msgpack.encode(_Order(rows.shape[1], seed, rows.tobytes(), windows.letters))
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", __name__],
            input=order,
            capture_output=True,
            check=True,
            timeout=TIMEOUT_S,
            env={**os.environ, **ONE_THREAD},
        )
    except subprocess.SubprocessError as error:
        said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else str(error)
        raise TrainingFailed(f"models: training failed ({reason}): check memory and the installation") from error
    dumps = msgspec.msgpack.decode(child.stdout, type=list[tuple[str, bytes]])
    return [family_of(name).load(dump, sha256(dump).hexdigest()) for name, dump in dumps]


def begin_apart(windows: Windows, seed: int) -> Callable[[], list[Model]]:
    """Begin to fit in a child process beside the work; what is returned waits for the result."""
    done: list[list[Model] | TrainingFailed] = []

    def work() -> None:
        try:
            done.append(fit_apart(windows, seed))
        except TrainingFailed as error:
            done.append(error)

    # a daemon: a run that ends before the models were needed does not wait for them
    thread = Thread(target=work, name="fit-models", daemon=True)
    thread.start()

    def result() -> list[Model]:
        thread.join()
        if isinstance(done[0], TrainingFailed):
            raise done[0]
        return done[0]

    return result


def main() -> None:
    """The child: one order in, all models out."""
    order = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=_Order)
    rows = np.frombuffer(order.rows, "<f4").reshape(-1, order.columns)
    models = fit_here(Windows(rows, order.letters), order.seed)
    with binary_output() as out:
        out.write(msgspec.msgpack.encode([(model.name, model.dump()) for model in models]))


if __name__ == "__main__":
    main()
