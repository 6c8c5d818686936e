"""The anomaly detector: does a host behave unlike its own past?

Rules:
    1. The first `warmup_windows` closed host windows are collected; from them the forest is fitted, once, beside the
       work. It is adopted when the first host has a past of its own to be held against (or `waiting_windows` wait to be
       scored), and named by a `model-trained` and a `baseline-learned` notice. Before that there are no scores: nobody
       could be judged by them, and so the row at which it is adopted depends on the rows alone.
    2. Every later window is scored first and learned afterwards. A host is judged from `min_host_windows` learned
       scores of its own on: p is the conformal p-value among its last ones, and p <= fpr is a vote.
    3. An alarm does not teach. While a host stays flagged, none of its windows is learned, so that an attack that
       lasts stays visible. Never learning flagged windows at all would cut the tail off the calibration, and with it
       the bar sinks without end: when the alarm is over, its first score is learned. Single false alarms, which come
       at the configured rate, are thus all learned and the rate holds.
    4. A host flagged for `calibration_windows` windows on end has changed: it starts anew, with no votes until it has
       its own past again.
    5. A sighting's score is fpr / p: 1 at the threshold, 0.5 at twice its p, where candidates begin.
    6. It explains itself by the 5 features that lie farthest from the host's own medians, in units of their median
       absolute deviation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, TypeAlias

import msgspec
import numpy as np

from domain.anomaly_limits import AnomalyLimits
from domain.sighting import Feature, Flow, Sighting, Vote
from engine.features.table import FEATURES
from engine.features.windows import ClosedWindow, HostWindows, Sample
from engine.frame import Frame
from engine.models.base import Matrix, version_of
from engine.models.conformal import Ring, p_value
from engine.models.isolation import IsolationForest, fit
from engine.sensed import Notice, Sensed

WARMING_UP: Final = "warming-up"
EXPLAINED: Final = 5
PEERS: Final = 20
LEAST_DEVIATION: Final = 0.01
"""Deviation that counts as none: below it a feature that never moved would seem infinitely far off."""


class _Past(msgspec.Struct, array_like=True):
    """What is known of a host: its learned scores and last vectors, and the alarm that is on (0 windows: none)."""

    scores: Ring
    vectors: Ring
    alarm: int = 0
    alarm_score: float = 0.0
    alarm_vector: tuple[float, ...] = ()


class _State(msgspec.Struct):
    windows: bytes = b""
    warmup: list[tuple[str, tuple[float, ...]]] = []
    waiting: list[tuple[str, tuple[float, ...]]] = []
    model: bytes = b""
    model_sha256: str = ""
    hosts: dict[str, _Past] = {}


Begin: TypeAlias = Callable[[Matrix, int], Callable[[], IsolationForest]]
"""Begins to fit a forest; what it returns waits for the result. `begin_here`, or `training.begin_apart`."""


def begin_here(rows: Matrix, seed: int) -> Callable[[], IsolationForest]:
    """Fit in this process, when the result is asked for."""
    return partial(fit, rows, seed)


class AnomalyDetector:
    """Host windows in, votes of the isolation forest out."""

    def __init__(
        self, limits: AnomalyLimits, local_networks: Iterable[str], seed: int, begin: Begin = begin_here
    ) -> None:
        self._limits, self._seed, self._begin = limits, seed, begin
        self._windows = HostWindows(limits, local_networks)
        self._warmup: list[tuple[str, tuple[float, ...]]] = []
        self._waiting: list[tuple[str, tuple[float, ...]]] = []
        self._own: dict[str, int] = {}
        self._result: Callable[[], IsolationForest] | None = None
        self._model: IsolationForest | None = None
        self._hosts: dict[str, _Past] = {}
        self._given: Frame | None = None

    @property
    def version(self) -> str:
        """The model that votes now, by the short hash of its parameters."""
        return version_of(self._model) if self._model else WARMING_UP

    @property
    def model(self) -> IsolationForest | None:
        """The fitted forest, to be stored; None during the warm-up."""
        return self._model

    @property
    def counters(self) -> dict[str, int]:
        """What the host windows left out or forgot."""
        return self._windows.counters

    def dump(self) -> bytes:
        """The whole state, the forest included."""
        model, sha256 = (self._model.dump(), self._model.sha256) if self._model else (b"", "")
        return msgspec.msgpack.encode(
            _State(self._windows.dump(), self._warmup, self._waiting, model, sha256, self._hosts)
        )

    def load(self, state: bytes) -> None:
        """Go on from a dumped state.

        Raises:
            ModelDamaged: the forest in it is not the one that was dumped.
        """
        stored = msgspec.msgpack.decode(state, type=_State)
        self._windows.load(stored.windows)
        self._warmup, self._waiting, self._hosts = stored.warmup, stored.waiting, stored.hosts
        self._own = dict(Counter(host for host, _ in stored.waiting))
        self._model = IsolationForest.load(stored.model, stored.model_sha256) if stored.model else None
        self._fit_when_warm()

    def sense(self, frame: Frame) -> Sensed:
        """Read `frame`; judge the host windows that closed."""
        return self.judge(self._windows.feed(frame))

    def begin(self, frame: Frame) -> None:
        """Take a frame in; `finish` tells what it gave."""
        self._given = frame

    def finish(self) -> Sensed:
        """What the frame gave that was taken in last."""
        assert self._given is not None, "begin comes first"  # noqa: S101 - an invariant of the callers
        frame, self._given = self._given, None
        return self.sense(frame)

    def close(self) -> None:
        """Nothing is held."""

    def judge(self, closed: list[ClosedWindow]) -> Sensed:
        """Judge closed windows, in order."""
        sensed = Sensed()
        closed = self._warm_up(closed, sensed)
        if self._model and closed:
            scores = self._model.score(np.array([window.vector for window in closed], np.float32))
            for window, score in zip(closed, scores.tolist(), strict=True):
                # rounded, so that the last bit of another machine's power function makes no tie and breaks none
                self._judge(window, round(score, 9), sensed)
        return sensed

    def _warm_up(self, closed: list[ClosedWindow], sensed: Sensed) -> list[ClosedWindow]:
        """Collect windows until a forest is needed; gives those that are to be judged by it."""
        if self._model:
            return closed
        for index, window in enumerate(closed):
            host = window.host
            if len(self._warmup) < self._limits.warmup_windows:
                self._warmup.append((host, window.vector))
                self._fit_when_warm()
            elif self._needed(host):
                self._adopt(window, sensed)
                return closed[index:]
            else:
                self._waiting.append((host, window.vector))
                self._own[host] = self._own.get(host, 0) + 1
        return []

    def _fit_when_warm(self) -> None:
        if not self._model and len(self._warmup) >= self._limits.warmup_windows:
            self._result = self._begin(np.array([vector for _, vector in self._warmup], np.float32), self._seed)

    def _needed(self, host: str) -> bool:
        enough = self._own.get(host, 0) >= self._limits.min_host_windows
        return enough or len(self._waiting) >= self._limits.waiting_windows

    def _adopt(self, window: ClosedWindow, sensed: Sensed) -> None:
        """Take the forest over: score and learn what waited for it."""
        assert self._result is not None, "the forest is begun when the warm-up is full"  # noqa: S101 - an invariant
        self._model = self._result()
        sensed.notices.extend(self._notices(window, self._model))
        if self._waiting:
            scores = self._model.score(np.array([vector for _, vector in self._waiting], np.float32))
            for (host, vector), score in zip(self._waiting, scores.tolist(), strict=True):
                self._learn(self._past(host), round(score, 9), vector)
        self._warmup, self._waiting, self._own, self._result = [], [], {}, None

    def _notices(self, last: ClosedWindow, model: IsolationForest) -> list[Notice]:
        samples, version = len(self._warmup), version_of(model)
        trained: dict[str, str | int | float] = {
            "model": model.name, "version": version, "sha256": model.sha256, "samples": samples, "seed": self._seed,
        }  # fmt: skip
        learned: dict[str, str | int | float] = {
            "profile": "hosts", "windows": samples, "hosts": len({host for host, _ in self._warmup}),
            "model_version": version,
        }  # fmt: skip
        return [
            Notice(row=last.row, at=last.at, name="model-trained", fields=trained),
            Notice(row=last.row, at=last.at, name="baseline-learned", fields=learned),
        ]

    def _judge(self, closed: ClosedWindow, score: float, sensed: Sensed) -> None:
        """Score first, then learn."""
        past = self._past(closed.host)
        fpr = self._limits.fpr
        p = p_value(score, past.scores.rows()) if len(past.scores) >= self._limits.min_host_windows else None
        if p is not None:
            sensed.scores.append((closed.row, p))
            if p <= 2 * fpr:
                sensed.sightings.append(self._sighting(closed, p, past))
        if p is not None and p <= fpr:
            self._alarm(past, score, closed.vector)
        else:
            self._learn(past, score, closed.vector)

    def _past(self, host: str) -> _Past:
        """The host's past, now the latest of all; the host that was judged longest ago makes room."""
        past = self._hosts.pop(host, None)
        if past is None:
            past = _Past(
                Ring(self._limits.calibration_windows, 1, "<f8"),
                Ring(self._limits.explain_windows, len(FEATURES), "<f4"),
            )
            if len(self._hosts) >= self._limits.max_hosts:
                del self._hosts[next(iter(self._hosts))]
        self._hosts[host] = past
        return past

    def _alarm(self, past: _Past, score: float, vector: tuple[float, ...]) -> None:
        """The host is flagged: nothing is learned, only the alarm's beginning is kept."""
        if not past.alarm:
            past.alarm_score, past.alarm_vector = score, vector
        past.alarm += 1
        if past.alarm >= self._limits.calibration_windows:
            past.scores.clear()
            past.vectors.clear()
            past.alarm = 0

    @staticmethod
    def _learn(past: _Past, score: float, vector: tuple[float, ...]) -> None:
        """The host is not flagged: learn its window, and the first one of an alarm that is over."""
        if past.alarm:
            past.scores.add([past.alarm_score])
            past.vectors.add(past.alarm_vector)
            past.alarm = 0
        past.scores.add([score])
        past.vectors.add(vector)

    def _sighting(self, closed: ClosedWindow, p: float, past: _Past) -> Sighting:
        window = closed.window
        peers = sorted(window.peers.items(), key=lambda peer: (-peer[1], peer[0]))
        return Sighting(
            row=closed.row,
            at=closed.at,
            kind="anomaly",
            entity=window.host,
            score=round(self._limits.fpr / p, 6),
            first_seen=window.first,
            last_seen=window.last,
            peers=tuple(peer for peer, _ in peers[:PEERS] if peer),
            flow_count=window.flows,
            flows=tuple(map(_flow, window.sample)),
            features=_explain(closed.vector, past.vectors),
            votes=(Vote(model=IsolationForest.name, version=self.version, p=p, vote=p <= self._limits.fpr),),
            evidence=window.evidence,
        )


def _flow(sample: Sample) -> Flow:
    ts, src, sport, dst, port, proto, out, back = sample
    return Flow(ts=ts, src_ip=src, src_port=sport, dst_ip=dst, dst_port=port, proto=proto, bytes_out=out, bytes_in=back)


def _explain(vector: tuple[float, ...], usual: Ring) -> tuple[Feature, ...]:
    """The features that lie farthest from the host's own medians, the farthest first."""
    rows = usual.rows().astype(float)
    medians = np.median(rows, axis=0)
    deviations = np.maximum(1.4826 * np.median(np.abs(rows - medians), axis=0), LEAST_DEVIATION)
    distances = np.round(np.abs(np.array(vector) - medians) / deviations, 6)
    farthest = np.argsort(-distances, kind="stable")[:EXPLAINED].tolist()
    return tuple(
        Feature(
            name=FEATURES[i].name,
            value=FEATURES[i].shown(vector[i]),
            unit=FEATURES[i].unit,
            baseline=FEATURES[i].shown(float(medians[i])),
        )
        for i in farthest
    )
