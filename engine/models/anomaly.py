"""The anomaly detector: does a host behave unlike its own past, or, on day one, unlike its peers?

Rules:
    1. The first `warmup_windows` closed host windows are collected; on them every family of models is fitted, once,
       beside the work. The models are adopted when the first host has a past of its own to be held against (or
       `waiting_windows` wait to be scored), so that the row at which they are adopted depends on the rows alone. The
       warm-up's begin and end are notices.
    2. A host has a baseline in each profile of working time (`profiles`), see `past`. It is judged there from
       `min_host_windows` scores on: every model gives a p-value among them, their consensus, against the empirical null
       of the hosts judged together (`engine.verdict.null`), is p, and p at or below the level is a vote. The level is
       the configured rate, tracked by verdicts (`engine.verdict.tracker`).
    3. Until then a host is held against its peers (`peers`), and the vote is named so.
    4. Score first, learn afterwards, in row order; nothing depends on where the stream was cut.
    5. A sighting's score is level / p: 1 at the threshold, 0.5 at twice its p, where candidates begin. The severity of
       the deviation (`engine.verdict.severity`) multiplies a vote's score; an anomaly alone stays below medium risk.
    6. It explains itself by the features farthest from the host's own medians, and by a record of evidence.
    7. Verdicts (`learn`, at ledger entries) move the level, the Bayesian model, and the baseline of who was wronged.
       The last one on a threat counts, and takes back what the earlier ones did (`judgements`).
    8. A model that fails leaves the panel (`panel`), which is a notice; the consensus is that of those left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.anomaly_limits import AnomalyLimits
from domain.sighting import Vote
from domain.values import DAY, Micros
from engine.features.closed import entries_of, letters_of
from engine.features.windows import ClosedWindow, HostWindows
from engine.frame import Frame
from engine.models import peers
from engine.models.base import Model, version_of
from engine.models.bayes import Bayes
from engine.models.conformal import Packed, p_values
from engine.models.evidence import Evidence, single, told
from engine.models.judgements import NONE_JUDGED, Told
from engine.models.panel import Panel
from engine.models.past import Past, explain
from engine.models.profiles import profile_of
from engine.models.reading import FEATURES, used
from engine.models.registry import ModelUnusable
from engine.models.shown import Finding, report, telling
from engine.models.state import Case, State
from engine.models.stored import loaded
from engine.models.telling import CONSENSUS, Teller
from engine.models.timing import Clock, Timing
from engine.models.warmup import Begin, Kept, WarmUp, begin_here, unpacked
from engine.models.words import PROFILES
from engine.sensed import Judged, Sensed
from engine.verdict.null import Null
from engine.verdict.ranks import Ranks
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
        self._state = State()
        self._ranks: dict[tuple[str, str], Ranks] = {}
        """Of the pasts in the state, to be made again at any time."""
        self._tracker = Tracker.at(limits.fpr)

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
        """The level of the votes, as verdicts moved it."""
        return self._tracker.level

    @property
    def evicted(self) -> dict[str, int]:
        """What was forgotten or left out for want of room: of the host windows, and baselines of hosts."""
        left_out = {name: count for name, count in self._windows.counters.items() if name not in UNTIMELY}
        return {**left_out, "baselines_forgotten": self._state.forgotten}

    def dump(self) -> bytes:
        """The whole state, the models included."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """`dump` piece by piece: at no time two copies of the whole."""
        self._state.tracker, self._state.warm_up = self._tracker, self._warm_up.state
        self._state.models = [(model.name, model.sha256, model.dump()) for model in self._models]
        state = msgspec.msgpack.encode(self._state)
        self._state.models = []  # they stand elsewhere
        yield len(state).to_bytes(8, "big")
        yield state
        del state
        yield self._windows.dump()

    def load(self, state: bytes) -> None:
        """Go on from a dumped state; a model that no installed package provides any more is retired.

        Raises:
            ModelDamaged: a model in it is not the one that was dumped.
        """
        end = 8 + int.from_bytes(state[:8], "big")
        stored = msgspec.msgpack.decode(memoryview(state)[8:end], type=State)
        models, left = loaded(stored.models)
        self._windows.load(memoryview(state)[end:])
        self._state, self._panel = stored, Panel(models, self._timing)
        stored.gone += left
        absent = {each.name for each in left}
        for place in reversed([place for place, (name, *_) in enumerate(stored.models) if name in absent]):
            self._drop(place)
        stored.models = []
        self._ranks.clear()
        self._tracker = stored.tracker or Tracker.at(self._limits.fpr)
        self._warm_up.load(None if models else stored.warm_up)

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
        share = self._state.flagged / self._state.judged if self._state.judged else NONE_JUDGED
        news = []
        for judged in {judged.threat: judged for judged in verdicts if judged.detail}.values():  # the last on each
            record = Evidence.load(judged.detail)
            word = Told(judged.verdict, judged.confidence, share, record.vector)
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

    def _judge_together(self, group: list[ClosedWindow], sensed: Sensed) -> None:
        """Judge the windows of one start, which close at one row."""
        first = group[0]
        teller = Teller(sensed, first.row, first.at)
        if self._state.tally.turns(first.at // DAY):
            teller.votes(self._state, self._panel, self._timing)
        vectors = used(entries_of(group)).astype(np.float32)
        letters = letters_of(group)
        profile = profile_of(first.start, self._limits)
        due = None
        if not self._models:
            # adopted before the window that needs the models is judged, as the rows alone tell
            due = self._warm_up.collect(
                [Kept.of(group[k].host, profile, vectors[k], letters[k]) for k in range(len(group))]
            )
            needed, seen = self._limits.warmup_windows, len(self._warm_up.state.windows)
            teller.warming(self._state, ALL_HOSTS, seen, needed, self._limits.peers_least)
            if due is not None:
                self._adopt(group[due], sensed)
        begin = len(group) if not self._models else 0 if due is None else due
        scores = self._scored(vectors, letters) if self._models else None
        teller.gone(self._state)
        cases, strangers = [], list(range(begin))
        if scores is not None:
            rows, least = (Packed(scores), Packed(vectors)), self._limits.min_host_windows * 4 * scores.shape[1]
            for k in range(begin, len(group)):
                past = self._past(group[k].host, profile)
                if len(past.scores.packed) < least:
                    past.learn(scores[k], vectors[k]) if past.alarm else past.remember(rows[0][k], rows[1][k])
                    strangers.append(k)
                else:
                    ranks = self._ranked(group[k].host, profile, past)
                    found = ranks.consensus(scores[k])
                    packed = rows[0][k], rows[1][k]
                    cases.append(Case(group[k], profile, vectors[k], scores[k], letters[k], packed, past, ranks, found))
        null = Null.of([case.found.p for case in cases], self._limits.peers_least)
        said = [self._decide(case, null, sensed) for case in cases]
        votes = {model.name: [case.found.votes[m] for case in cases] for m, model in enumerate(self._models)}
        self._state.judged += len(cases)
        self._state.flagged += self._state.tally.together(CONSENSUS, said, votes, self._tracker.level)
        self._compare(group, vectors, letters, strangers, sensed)
        self._follow(group[begin:] or group, profile, sensed)

    def _follow(self, group: list[ClosedWindow], profile: str, sensed: Sensed) -> None:
        """How far the warm-up of this profile of working time is, after a group of its windows."""
        progress = self._state.progress.get(profile)
        if progress is not None and progress.learned:
            return
        needed, hosts = self._limits.min_host_windows, self._state.hosts
        if self._models:
            pasts = [hosts.get(window.host, {}).get(profile) for window in group]
            own = [len(past.scores) if past is not None else 0 for past in pasts]
        else:
            own = [self._warm_up.waiting_of(window.host, profile) for window in group]
        teller = Teller(sensed, group[-1].row, group[-1].at)
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
        if warm_up.waiting:
            waited = unpacked(warm_up.waiting)
            scores = self._scored(*waited)
            for kept, row, vector in zip(warm_up.waiting, scores, waited.vectors, strict=True):
                self._past(kept.host, kept.profile).learn(row, vector)
        self._warm_up.load(None)

    def _trained(self, model: Model, verdicts: int, row: int, at: Micros, sensed: Sensed) -> None:
        sensed.blobs.append(model.dump())
        Teller(sensed, row, at).trained(model, self._state.samples, verdicts, self._seed)

    def _scored(self, vectors: NDArray[np.float32], letters: Sequence[bytes]) -> NDArray[np.float64]:
        """The scores of those that still can; who cannot is gone, also from the pasts."""
        scores, failed = self._panel.scores(vectors, letters)
        for place, left in reversed(failed):
            self._state.gone.append(left)
            self._drop(place)
        if not self._models:
            raise ModelUnusable(f"no model is left to vote ({self._state.gone[-1].reason}): mend the installation")
        return scores

    def _drop(self, place: int) -> None:
        """Forget what the model at a place said of the past."""
        for profiles in self._state.hosts.values():
            for past in profiles.values():
                past.scores.drop(place)
                past.alarm_scores = past.alarm_scores[:place] + past.alarm_scores[place + 1 :]
        self._ranks.clear()

    def _past(self, host: str, profile: str) -> Past:
        """The host's past in a profile, now the latest of all; the host that was judged longest ago makes room."""
        hosts = self._state.hosts
        profiles = hosts.pop(host, None)
        if profiles is None:
            profiles = {}
            if len(hosts) >= self._limits.max_hosts:
                del hosts[next(iter(hosts))]
                self._state.forgotten += 1
        hosts[host] = profiles
        if profile not in profiles:
            profiles[profile] = Past.empty(self._limits, len(self._models))
        return profiles[profile]

    def _ranked(self, host: str, profile: str, past: Past) -> Ranks:
        """The ranks of a host's past; made anew when it is not the past that they were made of."""
        ranks = self._ranks.get((host, profile))
        if ranks is None or len(ranks) != len(past.scores):
            if len(self._ranks) >= self._limits.max_hosts:
                self._ranks.clear()
            ranks = self._ranks[host, profile] = Ranks(past.known(), past.scores.size)
        return ranks

    def _decide(self, case: Case, null: Null, sensed: Sensed) -> float:
        """Say what is to be said of a window, then learn it, or flag its host; returns its p-value."""
        window, past, level = case.window, case.past, self._tracker.level
        p = telling(null.adjusted(case.found.p), level, window)
        sensed.scores.append((window.row, p))
        if p <= 2 * level:
            votes = tuple(
                Vote(model=model.name, version=version_of(model), p=vote, vote=vote is not None and vote <= level)
                for model, vote in zip(self._models, case.found.votes, strict=True)
            )
            record = self._evidence(
                window,
                profile=case.profile,
                letters=case.letters,
                models=tuple((model.name, model.sha256) for model in self._models),
                known=past.scores.rows().tobytes(),
                scores=told(case.scores),
                p=p,
                votes=case.found.votes,
                null=null,
            )
            voter = (CONSENSUS, self.version)
            against = (f"host windows in its baseline of {PROFILES[case.profile]}", len(past.scores))
            far = past.deviation(used(window.entries))
            report(window, Finding(p, level, voter, votes, *far, record, against), sensed)
        if p > level and not past.alarm:
            if past.remember(*case.packed):
                case.ranks.add(case.scores)
        elif p > level:
            for row in past.learn(case.scores, case.vector):
                case.ranks.add(row)
        elif past.flag(case.scores, case.vector):
            teller, size = Teller(sensed, window.row, window.at), past.scores.size
            teller.tell("baseline-shifted", profile=case.profile, host=window.host, reason="lasting", windows=size)
        return p

    def _compare(
        self, group: list[ClosedWindow], vectors: NDArray[np.float32], letters: list[bytes], strangers: list[int],
        sensed: Sensed,
    ) -> None:  # fmt: skip
        """Hold hosts without a past against all whose windows close with theirs."""
        if not strangers or len(group) < self._limits.peers_least:
            return
        compared = peers.compare(vectors)
        scores = single(compared.scores)
        known = np.asarray(self._state.pool.rows(), np.float64)
        level = self._tracker.level
        judged = strangers if len(known) >= self._limits.min_host_windows else []
        ranked = zip(judged, p_values(scores[judged], known), strict=True)
        found = [telling(rank, level, group[k]) for k, rank in ranked]
        if judged:
            self._state.tally.add(peers.NAME, len(judged), sum(p <= level for p in found), 0)
        for k, p in zip(judged, found, strict=True):
            window = group[k]
            sensed.scores.append((window.row, p))
            if p <= 2 * level:
                record = self._evidence(
                    window,
                    letters=letters[k],
                    known=known.astype("<f4").tobytes(),
                    scores=told(scores[k : k + 1]),
                    p=p,
                    votes=(p,),
                    medians=compared.medians.astype("<f4").tobytes(),
                    deviations=compared.deviations.astype("<f4").tobytes(),
                )
                far = explain(used(window.entries), compared.medians, compared.deviations, peers.LEAST_DEVIATION)
                against = ("hosts of the same minutes that it was held against", len(group))
                report(window, Finding(p, level, (peers.NAME, peers.VERSION), (), *far, record, against), sensed)
        self._state.pool.extend(scores)

    def _evidence(self, window: ClosedWindow, **found: Any) -> bytes:
        """The record from which the score can be computed again; `found` are its other fields."""
        vector = used(window.entries).astype("<f4").tobytes()
        return Evidence(host=window.host, vector=vector, level=self._tracker.level, **found).dump()

    def _track(self, row: int, at: Micros, sensed: Sensed) -> None:
        """Move the level: false alarms are what was flagged times the share of verdicts that said so."""
        before, start = self._tracker.level, Tracker.at(self._limits.fpr)
        self._state.said.settle(start)
        self._tracker = self._state.said.track(start)
        if self._tracker.level != before:
            Teller(sensed, row, at).moved(self._tracker)

    def _update(self, row: int, at: Micros, sensed: Sensed) -> None:
        """Teach the Bayesian model what attacks and false alarms look like."""
        for place, model in enumerate(self._models):
            if isinstance(model, Bayes):
                updated = model.updated(self._state.said.rows(), self._state.said.votes())
                self._models[place] = updated
                self._trained(updated, updated.verdicts, row, at, sensed)

    def _accept(self, judged: Judged, record: Evidence, row: int, at: Micros, sensed: Sensed) -> None:
        """A false alarm: what the host did is usual for it from now on; what an earlier verdict did is undone."""
        profiles = self._state.hosts.get(record.host, {})
        shifts = [(profile, "verdict-taken-back", past.take_back(judged.threat)) for profile, past in profiles.items()]
        if judged.verdict == "incorrect" and record.profile in profiles and self._models:
            vector = np.frombuffer(record.vector, "<f4")
            [scores] = self._scored(vector.reshape(1, -1), [record.letters])
            past = profiles[record.profile]
            learned = past.accept(judged.threat, scores, vector, self._tracker.level, judged.confidence)
            shifts.append((record.profile, "verdict", learned))
        teller = Teller(sensed, row, at)
        for profile, reason, windows in shifts:
            if windows:
                self._ranks.pop((record.host, profile), None)
                teller.tell("baseline-shifted", profile=profile, host=record.host, reason=reason, windows=windows)
