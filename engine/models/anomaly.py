"""The anomaly detector: does a host behave unlike its own past, or, on day one, unlike its peers?

Rules:
    1. The first `warmup_windows` closed host windows are collected; on them every family of models is fitted, once,
       beside the work. The models are adopted when the first host has a past of its own to be held against (or
       `waiting_windows` wait to be scored), so that the row at which they are adopted depends on the rows alone. The
       warm-up's begin and end are notices.
    2. A host has a baseline in each profile of working time (`profiles`), see `pasts`. It is judged there from
       `min_host_windows` scores on: every model gives a p-value among them, their consensus, against the empirical null
       of the hosts judged together (`engine.verdict.null`), is p, and p at or below the level is a vote. The level is
       the configured rate, tracked by verdicts (`engine.verdict.tracker`).
    3. Until then a host is held against its peers (`peers`), and the vote is named so.
    4. Score first, learn afterwards, in row order; nothing depends on where the stream was cut.
    5. A sighting's score is level / p: 1 at the threshold, 0.5 at twice its p, where candidates begin. The severity of
       the deviation (`engine.verdict.severity`) multiplies a vote's score; an anomaly alone stays below medium risk.
    6. It explains itself by the features farthest from the host's own medians, and by a record of evidence.
    7. Verdicts (`learn`, at ledger entries) move the level of who alarmed (consensus or peers), the Bayesian model, and
       the baseline of who was wronged.
       The last one on a threat counts, and takes back what the earlier ones did (`judgements`).
    8. A model that fails leaves the panel (`panel`), which is a notice; the consensus is that of those left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.anomaly_limits import AnomalyLimits
from domain.values import DAY, Micros
from engine.features.closed import entries_of, letters_of
from engine.features.windows import ClosedWindow, HostWindows
from engine.frame import Frame
from engine.models import peers
from engine.models.base import Model
from engine.models.bayes import Bayes
from engine.models.evidence import Evidence
from engine.models.judgements import Told
from engine.models.judging import Group, Judge
from engine.models.panel import Panel
from engine.models.pasts import Pasts
from engine.models.profiles import profile_of
from engine.models.reading import FEATURES, used
from engine.models.registry import ModelUnusable
from engine.models.state import CONSENSUS, State
from engine.models.stored import loaded
from engine.models.telling import Teller
from engine.models.timing import Clock, Timing
from engine.models.warmup import Begin, Kept, WarmUp, begin_here, turns, unpacked
from engine.sensed import Judged, Sensed
from engine.verdict.tracker import Tracker

WARMING_UP: Final = "warming-up"
ALL_HOSTS: Final = "hosts"
UNTIMELY: Final = frozenset({"late_for_window", "ahead_of_clock"})
"""Counters of the host windows that are no want of room."""


class AnomalyDetector:
    """Host windows in, votes of the models out."""

    def __init__(
        self,
        limits: AnomalyLimits,
        local_networks: Iterable[str],
        seed: int,
        begin: Begin = begin_here,
        clock: Clock | None = None,
    ) -> None:
        self._limits, self._seed = limits, seed
        self._windows = HostWindows(limits, local_networks)
        self._warm_up = WarmUp(limits, seed, begin)
        self._timing = Timing(clock)
        self._panel = Panel()
        self._pasts = Pasts(limits, 0)
        self._state = State.new(limits.fpr)

    @property
    def version(self) -> str:
        """The models that vote now, by the short hash of all their parameters."""
        return self._panel.version if self._models else WARMING_UP

    @property
    def _models(self) -> list[Model]:
        return self._panel.models

    @property
    def models(self) -> tuple[Model, ...]:
        """The fitted models, by name; none during the warm-up."""
        return tuple(self._models)

    @property
    def level(self) -> float:
        """The level of the consensus, as verdicts moved it."""
        return self._state.levels[CONSENSUS].level

    @property
    def evicted(self) -> dict[str, int]:
        """What was forgotten or left out for want of room: of the host windows, and baselines of hosts."""
        left_out = {name: count for name, count in self._windows.counters.items() if name not in UNTIMELY}
        return {**left_out, "baselines_forgotten": self._pasts.forgotten}

    def dump(self) -> bytes:
        """The whole state, the models included."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """`dump` piece by piece: at no time two copies of the whole."""
        models = [(model.name, model.sha256, model.dump()) for model in self._models]
        pasts = self._pasts.state()
        state = msgspec.structs.replace(self._state, warm_up=self._warm_up.state, models=models, pasts=pasts)
        head = msgspec.msgpack.encode(state)
        yield len(head).to_bytes(8, "big") + self._pasts.size.to_bytes(8, "big")
        yield head
        yield from self._pasts.pieces()
        yield from self._windows.pieces()

    def load(self, state: bytes) -> None:
        """Go on from a dumped state; a model that no installed package provides any more is retired.

        Raises:
            ModelDamaged: a model in it is not the one that was dumped.
        """
        data = memoryview(state)
        ends = list(accumulate((16, *(int.from_bytes(state[at : at + 8], "big") for at in (0, 8)))))
        stored = msgspec.msgpack.decode(data[ends[0] : ends[1]], type=State)
        models, left = loaded(stored.models)
        self._pasts = Pasts(self._limits, len(stored.models))
        if stored.pasts is not None:
            self._pasts.load(stored.pasts, data[ends[1] : ends[2]])
        self._windows.load(data[ends[2] :])
        self._panel = Panel(models, self._timing)
        self._warm_up.load(None if models else stored.warm_up)
        self._state = msgspec.structs.replace(stored, warm_up=None, models=[], pasts=None)
        self._state.gone += left
        absent = {each.name for each in left}
        for place in reversed([place for place, (name, *_) in enumerate(stored.models) if name in absent]):
            self._pasts.drop(place)

    def sense(self, frame: Frame) -> Sensed:
        """Read `frame`; judge the host windows that closed."""
        return self.judge(self._windows.feed(frame))

    def judge(self, closed: list[ClosedWindow]) -> Sensed:
        """Judge closed windows, in order."""
        sensed = Sensed()
        for _, group in groupby(closed, key=ClosedWindow.batch):
            self._judge_together(list(group), sensed)
        return sensed

    def learn(self, verdicts: Sequence[Judged], row: int, at: Micros) -> Sensed:
        """Learn from verdicts, at a ledger entry's end; `row` and `at` say where that is. Gives notices and blobs."""
        sensed = Sensed()
        news = []
        for judged in {judged.threat: judged for judged in verdicts if judged.detail}.values():  # the last on each
            record = Evidence.load(judged.detail)
            voter = CONSENSUS if record.models else peers.NAME
            word = Told(judged.verdict, judged.confidence, voter, self._state.rates[voter].shares(), record.vector)
            if len(record.vector) == 4 * len(FEATURES) and not self._state.said.knows(judged.threat, word):
                self._state.said.take(judged.threat, word)
                news.append((judged, record))
        if news:
            self._track(row, at, sensed)
            self._update(row, at, sensed)
            for judged, record in news:
                self._accept(judged, record, row, at, sensed)
        return sensed

    def count(self, row: int, at: Micros) -> Sensed:
        """At the end of a feed: how the voters voted since the last count, and how long they took."""
        sensed = Sensed()
        Teller(sensed, row, at).votes(self._state, self._panel, self._timing)
        return sensed

    def _judge_together(self, windows: list[ClosedWindow], sensed: Sensed) -> None:
        """Judge the windows of one start, which close at one row."""
        first = windows[0]
        teller = Teller(sensed, first.row, first.at)
        if self._state.tally.turns(first.at // DAY):
            teller.votes(self._state, self._panel, self._timing)
        vectors, letters = used(entries_of(windows)).astype(np.float32), letters_of(windows)
        profile = profile_of(first.start, self._limits)
        begin = 0 if self._models else self._warm(windows, profile, vectors, letters, sensed)
        scores = self._scored(vectors, letters) if self._models else np.empty((len(windows), 0))
        teller.gone(self._state)
        group = Group(windows, profile, vectors, letters, scores)
        judge = Judge(self._limits, self._state, self._panel, self._pasts, sensed)
        if self._models:
            strangers, places = judge.against_pasts(group.since(begin))
            judge.against_peers(group, [*range(begin), *(begin + k for k in strangers)])
            own = self._pasts.sizes(places).tolist()
        else:
            judge.against_peers(group, range(len(windows)))
            own = [self._warm_up.waiting_of(window.host, profile) for window in windows]
        self._follow(windows[-1], profile, own, sensed)

    def _warm(
        self, windows: list[ClosedWindow], profile: str, vectors: NDArray[np.float32], letters: list[bytes],
        sensed: Sensed,
    ) -> int:  # fmt: skip
        """Collect windows for the warm-up; the number of the first that the models, adopted before it, judge."""
        due = self._warm_up.collect(
            [Kept.of(window.host, profile, *each) for window, *each in zip(windows, vectors, letters, strict=True)]
        )
        needed, seen = self._limits.warmup_windows, len(self._warm_up.state.windows)
        first = windows[0]
        Teller(sensed, first.row, first.at).warming(self._state, ALL_HOSTS, seen, needed, self._limits.peers_least)
        if due is None:
            return len(windows)
        self._adopt(windows[due], sensed)
        return due

    def _follow(self, last: ClosedWindow, profile: str, own: list[int], sensed: Sensed) -> None:
        """How far the warm-up of this profile of working time is; `own`: windows that each of its hosts has there."""
        progress = self._state.progress.get(profile)
        if progress is not None and progress.learned:
            return
        needed = self._limits.min_host_windows
        teller = Teller(sensed, last.row, last.at)
        teller.warming(self._state, profile, max(own), needed, self._limits.peers_least)
        full = sum(count >= needed for count in own)
        if self._models and full:
            teller.warmed(self._state, profile, needed, full, self.version)

    def _adopt(self, window: ClosedWindow, sensed: Sensed) -> None:
        """Take the models over: score and learn what waited for them."""
        warm_up = self._warm_up.state
        fitted = self._warm_up.models()
        self._panel = Panel(fitted.models, self._timing)
        self._state.gone += fitted.left
        samples, hosts = len(warm_up.windows), len({kept.host for kept in warm_up.windows})
        self._state.samples = samples
        for model in self._models:
            self._trained(model, 0, window.row, window.at, sensed)
        Teller(sensed, window.row, window.at).warmed(self._state, ALL_HOSTS, samples, hosts, self.version)
        self._pasts = Pasts(self._limits, len(self._models))
        if warm_up.waiting:
            self._learn_waiting(warm_up.waiting)
        self._warm_up.load(None)

    def _learn_waiting(self, waiting: list[Kept]) -> None:
        """Learn what waited for the models: of each host one window after the other."""
        waited = unpacked(waiting)
        scores = self._scored(*waited)
        for profile in sorted({kept.profile for kept in waiting}):
            own = [k for k, kept in enumerate(waiting) if kept.profile == profile]
            for turn in turns(own, lambda k: waiting[k].host):
                places = self._pasts.places([waiting[k].host for k in turn], profile)
                self._pasts.learn(places, scores[turn], waited.vectors[turn])

    def _trained(self, model: Model, verdicts: int, row: int, at: Micros, sensed: Sensed) -> None:
        sensed.blobs.append(model.dump())
        Teller(sensed, row, at).trained(model, self._state.samples, verdicts, self._seed)

    def _scored(self, vectors: NDArray[np.float32], letters: Sequence[bytes]) -> NDArray[np.float64]:
        """The scores of those that still can; who cannot is gone, also from the pasts."""
        scores, failed = self._panel.scores(vectors, letters)
        for place, left in reversed(failed):
            self._state.gone.append(left)
            self._pasts.drop(place)
        if not self._models:
            raise ModelUnusable(f"no model is left to vote ({self._state.gone[-1].reason}): mend the installation")
        return scores

    def _track(self, row: int, at: Micros, sensed: Sensed) -> None:
        """Move the levels of the voters."""
        start = Tracker.at(self._limits.fpr)
        self._state.said.settle(start)
        for voter, before in self._state.levels.items():
            after = self._state.levels[voter] = self._state.said.track(voter, start)
            if after.level != before.level:
                Teller(sensed, row, at).moved(voter, after)

    def _update(self, row: int, at: Micros, sensed: Sensed) -> None:
        """Teach the Bayesian model what attacks and false alarms look like."""
        for place, model in enumerate(self._models):
            if isinstance(model, Bayes):
                updated = model.updated(self._state.said.rows(), self._state.said.votes())
                self._models[place] = updated
                self._trained(updated, updated.verdicts, row, at, sensed)

    def _accept(self, judged: Judged, record: Evidence, row: int, at: Micros, sensed: Sensed) -> None:
        """A false alarm: what the host did is usual for it from now on; what an earlier verdict did is undone."""
        held, pasts = self._pasts.find(record.host), self._pasts
        shifts = [(profile, "verdict-taken-back", pasts.take_back(held[profile], judged.threat)) for profile in held]
        if judged.verdict == "incorrect" and record.profile in held and self._models:
            vector = np.frombuffer(record.vector, "<f4")
            [scores] = self._scored(vector.reshape(1, -1), [record.letters])
            level = self.level
            learned = pasts.accept(held[record.profile], judged, scores, vector, level)
            shifts.append((record.profile, "verdict", learned))
        teller = Teller(sensed, row, at)
        for profile, reason, windows in shifts:
            if windows:
                teller.tell("baseline-shifted", profile=profile, host=record.host, reason=reason, windows=windows)
