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
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import groupby
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.anomaly_limits import AnomalyLimits
from domain.sighting import Vote
from domain.values import DAY, Micros
from engine.features.closed import letters_of
from engine.features.windows import ClosedWindow, HostWindows
from engine.frame import Frame
from engine.models import peers
from engine.models.base import Model, version_of
from engine.models.bayes import Bayes
from engine.models.conformal import Packed, Ring, p_values
from engine.models.evidence import Evidence, score_all, single, told
from engine.models.judgements import NONE_JUDGED, Judgements, Told
from engine.models.past import Past, explain
from engine.models.profiles import profile_of
from engine.models.reading import FEATURES, used
from engine.models.registry import family_of
from engine.models.shown import Finding, report
from engine.models.voting import Tally
from engine.models.warmup import Begin, Kept, WarmUp, WarmUpState, begin_here, unpacked
from engine.sensed import Judged, Notice, NoticeName, Sensed
from engine.verdict.consensus import Consensus
from engine.verdict.null import Null
from engine.verdict.ranks import Ranks
from engine.verdict.tracker import Tracker

WARMING_UP: Final = "warming-up"
CONSENSUS: Final = "consensus"
ALL_HOSTS: Final = "hosts"

Fields: TypeAlias = dict[str, str | int | float]


class _State(msgspec.Struct):
    windows: bytes = b""
    began: bool = False
    warm_up: WarmUpState = msgspec.field(default_factory=WarmUpState)
    models: list[tuple[str, str, bytes]] = []
    hosts: dict[str, dict[str, Past]] = {}
    pool: Ring = msgspec.field(default_factory=lambda: Ring(peers.POOL, 1, "<f4"))
    tracker: Tracker | None = None
    tally: Tally = msgspec.field(default_factory=Tally)
    flagged: int = 0
    judged: int = 0
    said: Judgements = msgspec.field(default_factory=Judgements)


class AnomalyDetector:
    """Host windows in, votes of the models out."""

    def __init__(
        self, limits: AnomalyLimits, local_networks: Iterable[str], seed: int, begin: Begin = begin_here
    ) -> None:
        self._limits, self._seed = limits, seed
        self._windows = HostWindows(limits, local_networks)
        self._warm_up = WarmUp(limits, seed, begin)
        self._models: list[Model] = []
        self._state = _State()
        self._ranks: dict[tuple[str, str], Ranks] = {}
        """Of the pasts in the state, to be made again at any time."""
        self._tracker = Tracker.at(limits.fpr)

    @property
    def version(self) -> str:
        """The models that vote now, by the short hash of all their parameters."""
        if not self._models:
            return WARMING_UP
        return sha256("".join(model.sha256 for model in self._models).encode()).hexdigest()[:12]

    @property
    def models(self) -> tuple[Model, ...]:
        """The fitted models, by name; none during the warm-up."""
        return tuple(self._models)

    @property
    def level(self) -> float:
        """The level of the votes, as verdicts moved it."""
        return self._tracker.level

    @property
    def counters(self) -> dict[str, int]:
        """What the host windows left out or forgot."""
        return self._windows.counters

    def dump(self) -> bytes:
        """The whole state, the models included."""
        self._state.windows, self._state.tracker = self._windows.dump(), self._tracker
        self._state.warm_up = self._warm_up.state
        self._state.models = [(model.name, model.sha256, model.dump()) for model in self._models]
        data = msgspec.msgpack.encode(self._state)
        self._state.windows, self._state.models = b"", []  # they stand elsewhere
        return data

    def load(self, state: bytes) -> None:
        """Go on from a dumped state.

        Raises:
            ModelDamaged: a model in it is not the one that was dumped.
            ModelUnusable: no installed package provides one of its models.
        """
        stored = msgspec.msgpack.decode(state, type=_State)
        models = [family_of(name).load(data, expected) for name, expected, data in stored.models]
        self._windows.load(stored.windows)
        self._state, self._models = stored, models
        stored.windows, stored.models = b"", []
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

    def _judge_together(self, group: list[ClosedWindow], sensed: Sensed) -> None:
        """Judge the windows of one start, which close at one row."""
        first = group[0]
        self._open_day(first, sensed)
        vectors = used(np.array([window.entries for window in group])).astype(np.float32)
        letters = letters_of(group)
        profile = profile_of(first.start, self._limits)
        due = None
        if not self._models:
            # adopted before the window that needs the models is judged, as the rows alone tell
            due = self._warm_up.collect(
                [Kept.of(group[k].host, profile, vectors[k], letters[k]) for k in range(len(group))]
            )
            if due is not None:
                self._adopt(group[due], sensed)
        begin = len(group) if not self._models else 0 if due is None else due
        cases, strangers = [], list(range(begin))
        if begin < len(group):
            scores = score_all(self._models, vectors, letters)
            rows = Packed(scores), Packed(vectors)
            for k in range(begin, len(group)):
                past = self._past(group[k].host, profile)
                if len(past.scores) < self._limits.min_host_windows:
                    past.learn(scores[k], vectors[k]) if past.alarm else past.remember(rows[0][k], rows[1][k])
                    strangers.append(k)
                else:
                    ranks = self._ranked(group[k].host, profile, past)
                    found = ranks.consensus(scores[k])
                    cases.append(_Case(group[k], profile, vectors[k], scores[k], letters[k], past, ranks, found))
        null = Null.of([case.found.p for case in cases], self._limits.peers_least)
        for case in cases:
            self._decide(case, null, sensed)
        self._compare(group, vectors, letters, strangers, sensed)

    def _open_day(self, window: ClosedWindow, sensed: Sensed) -> None:
        """Tell the begin of the warm-up, and once a day how the voters voted."""
        if not self._state.began:
            self._state.began = True
            limits = self._limits
            fields: Fields = {
                "profile": ALL_HOSTS, "windows": limits.warmup_windows, "least_peers": limits.peers_least
            }  # fmt: skip
            _tell(sensed, window, "baseline-warming", fields)
        versions = {model.name: version_of(model) for model in self._models}
        versions |= {CONSENSUS: self.version, peers.NAME: peers.VERSION}
        for voter, (judged, votes, against) in self._state.tally.turn(window.at // DAY).items():
            counted: Fields = {
                "model": voter, "version": versions[voter], "judged": judged, "votes": votes, "disagreements": against
            }  # fmt: skip
            _tell(sensed, window, "votes-counted", counted)

    def _adopt(self, window: ClosedWindow, sensed: Sensed) -> None:
        """Take the models over: score and learn what waited for them."""
        warm_up = self._warm_up.state
        self._models = self._warm_up.models()
        samples, hosts = len(warm_up.windows), len({kept.host for kept in warm_up.windows})
        for model in self._models:
            self._trained(model, samples, window.row, window.at, sensed)
        learned: Fields = {
            "profile": ALL_HOSTS, "windows": samples, "hosts": hosts, "model_version": self.version
        }  # fmt: skip
        _tell(sensed, window, "baseline-learned", learned)
        if warm_up.waiting:
            waited = unpacked(warm_up.waiting)
            scores = score_all(self._models, *waited)
            for kept, row, vector in zip(warm_up.waiting, scores, waited.vectors, strict=True):
                self._past(kept.host, kept.profile).learn(row, vector)
        self._warm_up.load(None)

    def _trained(self, model: Model, samples: int, row: int, at: Micros, sensed: Sensed) -> None:
        fields: Fields = {
            "model": model.name, "version": version_of(model), "sha256": model.sha256, "samples": samples,
            "seed": self._seed,
        }  # fmt: skip
        sensed.blobs.append(model.dump())
        sensed.notices.append(Notice(row=row, at=at, name="model-trained", fields=fields))

    def _past(self, host: str, profile: str) -> Past:
        """The host's past in a profile, now the latest of all; the host that was judged longest ago makes room."""
        hosts = self._state.hosts
        profiles = hosts.pop(host, None)
        if profiles is None:
            profiles = {}
            if len(hosts) >= self._limits.max_hosts:
                del hosts[next(iter(hosts))]
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

    def _decide(self, case: _Case, null: Null, sensed: Sensed) -> None:
        """Say what is to be said of a window, then learn it, or flag its host."""
        window, past, level = case.window, case.past, self._tracker.level
        p = null.adjusted(case.found.p)
        self._counted(p, case.found)
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
            report(window, Finding(p, level, voter, votes, *past.deviation(used(window.entries)), record), sensed)
        if p > level:
            for row in past.learn(case.scores, case.vector):
                case.ranks.add(row)
        elif past.flag(case.scores, case.vector):
            shift: Fields = {
                "profile": case.profile, "host": window.host, "reason": "lasting", "windows": past.scores.size
            }  # fmt: skip
            _tell(sensed, window, "baseline-shifted", shift)

    def _counted(self, p: float, found: Consensus) -> None:
        level, tally = self._tracker.level, self._state.tally
        consents = p <= level
        self._state.judged += 1
        self._state.flagged += consents
        tally.count(CONSENSUS, vote=consents, consensus=consents)
        for model, vote in zip(self._models, found.votes, strict=True):
            if vote is not None:
                tally.count(model.name, vote=vote <= level, consensus=consents)

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
        found = p_values(scores[judged], known)
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
                report(window, Finding(p, level, (peers.NAME, peers.VERSION), (), *far, record), sensed)
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
            fields: Fields = {
                "model": CONSENSUS, "level": self._tracker.level, "target": self._tracker.target,
                "verdicts": self._tracker.verdicts,
            }  # fmt: skip
            sensed.notices.append(Notice(row=row, at=at, name="threshold-moved", fields=fields))

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
            [scores] = score_all(self._models, vector.reshape(1, -1), [record.letters])
            past = profiles[record.profile]
            learned = past.accept(judged.threat, scores, vector, self._tracker.level, judged.confidence)
            shifts.append((record.profile, "verdict", learned))
        for profile, reason, windows in shifts:
            if windows:
                self._ranks.pop((record.host, profile), None)
                fields: Fields = {"profile": profile, "host": record.host, "reason": reason, "windows": windows}
                sensed.notices.append(Notice(row=row, at=at, name="baseline-shifted", fields=fields))


class _Case(NamedTuple):
    """A window of a host that has a past to be held against."""

    window: ClosedWindow
    profile: str
    vector: NDArray[np.float32]
    scores: NDArray[np.float64]
    letters: bytes
    past: Past
    ranks: Ranks
    found: Consensus


def _tell(sensed: Sensed, window: ClosedWindow, name: NoticeName, fields: Fields) -> None:
    sensed.notices.append(Notice(row=window.row, at=window.at, name=name, fields=fields))
