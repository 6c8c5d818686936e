"""How windows that closed together are judged: each against its host's own past, or, without one, against its peers.

Rules:
    1. All are judged before any is learned, in the order of their hosts.
    2. The consensus of the models is p, against the empirical null of the hosts judged together; p at or below the
       level is a vote. A score is level / p: 1 at the threshold, 0.5 at twice its p, where candidates begin.
    3. What was not flagged is learned at once; a flagged window is kept as the first of an alarm.
    4. Hosts without a past are held against all whose windows close with theirs, from `peers_least` hosts on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.anomaly_limits import AnomalyLimits
from domain.sighting import Vote
from engine.features.windows import ClosedWindow
from engine.models import peers
from engine.models.base import version_of
from engine.models.conformal import p_values
from engine.models.evidence import Evidence, single, told
from engine.models.panel import Panel
from engine.models.past import deviation, explain
from engine.models.pasts import Pasts
from engine.models.reading import used
from engine.models.shown import Finding, report, telling
from engine.models.state import CONSENSUS, State
from engine.models.telling import Teller
from engine.models.words import PROFILES
from engine.rows import Places
from engine.sensed import Sensed
from engine.verdict.null import Null
from engine.verdict.ranks import Found


@dataclass(frozen=True, slots=True)
class Group:
    """Windows of one start that close at one row: as models read them, and what these say (a column a model)."""

    windows: Sequence[ClosedWindow]
    profile: str
    vectors: NDArray[np.float32]
    letters: Sequence[bytes]
    scores: NDArray[np.float64]

    def since(self, begin: int) -> Group:
        """Those from number `begin` on."""
        return Group(
            self.windows[begin:], self.profile, self.vectors[begin:], self.letters[begin:], self.scores[begin:]
        )


class Case(NamedTuple):
    """The `k`-th window of a group that says something: its host's place, its p-value and those of the models."""

    k: int
    place: int
    p: float
    shares: tuple[float | None, ...]
    null: Null


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges groups, and says in `sensed` what there is to say of them."""

    limits: AnomalyLimits
    state: State
    panel: Panel
    pasts: Pasts
    sensed: Sensed

    def against_pasts(self, group: Group) -> tuple[list[int], Places]:
        """Judge and learn those whose hosts have a past; the numbers of the others, who learn only, and all places."""
        places = self.pasts.places([window.host for window in group.windows], group.profile)
        judged = self.pasts.sizes(places) >= self.limits.min_host_windows
        own = np.flatnonzero(judged)
        found = self.pasts.consensus(places[own], group.scores[own])
        null = Null.of(found.p, self.limits.peers_least)
        level = self.state.levels[CONSENSUS].level
        pairs = zip(own.tolist(), null.all_adjusted(found.p), strict=True)
        ps = [p if p > 2 * level else telling(p, group.windows[k]) for k, p in pairs]
        self.sensed.scores += ps
        for number, p in enumerate(ps):
            if p <= 2 * level:
                k = int(own[number])
                self._speak(group, Case(k, int(places[k]), p, found.votes(number), null))
        calm = np.ones(len(places), np.bool_)
        calm[own] = np.array(ps) > level
        for k in np.flatnonzero(~calm).tolist():
            self._flag(group, k, int(places[k]))
        self.pasts.learn(places[calm], group.scores[calm], group.vectors[calm])
        self._count(found, ps)
        return np.flatnonzero(~judged).tolist(), places

    def against_peers(self, group: Group, strangers: Sequence[int]) -> None:
        """Hold windows of a group against all of it."""
        if not strangers or len(group.windows) < self.limits.peers_least:
            return
        compared = peers.compare(group.vectors)
        scores = single(compared.scores)
        known = np.asarray(self.state.pool.rows(), np.float64)
        level = self.state.levels[peers.NAME].level
        judged = strangers if len(known) >= self.limits.min_host_windows else []
        ranked = zip(judged, p_values(scores[judged], known), strict=True)
        found = [rank if rank > 2 * level else telling(rank, group.windows[k]) for k, rank in ranked]
        if judged:
            votes = sum(p <= level for p in found)
            self.state.tally.add(peers.NAME, len(judged), votes, 0)
            self._rate(peers.NAME, len(judged), votes)
        self.sensed.scores += found
        for k, p in zip(judged, found, strict=True):
            if p <= 2 * level:
                window = group.windows[k]
                record = self._evidence(
                    group,
                    k,
                    known=known.astype("<f4").tobytes(),
                    scores=told(scores[k : k + 1]),
                    p=p,
                    level=level,
                    votes=(p,),
                    medians=compared.medians.astype("<f4").tobytes(),
                    deviations=compared.deviations.astype("<f4").tobytes(),
                )
                far = explain(used(window.entries), compared.medians, compared.deviations, peers.LEAST_DEVIATION)
                against = ("hosts of the same minutes that it was held against", len(group.windows))
                voter = (peers.NAME, peers.VERSION)
                self._report(window, Finding(p, level, voter, (), *far, record, against))
        self.state.pool.extend(scores)

    def _speak(self, group: Group, case: Case) -> None:
        """Say what a window is, held against its host's own past."""
        window, level, models = group.windows[case.k], self.state.levels[CONSENSUS].level, self.panel.models
        votes = tuple(
            Vote(model=model.name, version=version_of(model), p=share, vote=share is not None and share <= level)
            for model, share in zip(models, case.shares, strict=True)
        )
        known = self.pasts.scores(case.place)
        record = self._evidence(
            group,
            case.k,
            profile=group.profile,
            models=tuple((model.name, model.sha256) for model in models),
            known=known.tobytes(),
            scores=told(group.scores[case.k]),
            p=case.p,
            level=level,
            votes=case.shares,
            null=case.null,
        )
        against = (f"host windows in its baseline of {PROFILES[group.profile]}", len(known))
        far = deviation(used(window.entries), self.pasts.vectors(case.place))
        self._report(window, Finding(case.p, level, (CONSENSUS, self.panel.version), votes, *far, record, against))

    def _report(self, window: ClosedWindow, finding: Finding) -> None:
        """A sighting, counted if it is an alarm."""
        self.state.rates[finding.voter[0]].alarmed += report(window, finding, self.sensed)

    def _flag(self, group: Group, k: int, place: int) -> None:
        """A vote: its window teaches nothing, unless the host has changed for good."""
        if self.pasts.flag(place, group.scores[k], group.vectors[k]):
            window = group.windows[k]
            shifted = {"profile": group.profile, "host": window.host, "reason": "lasting"}
            teller = Teller(self.sensed, window.row, window.at)
            teller.tell("baseline-shifted", **shifted, windows=self.limits.calibration_windows)

    def _count(self, found: Found, ps: Sequence[float]) -> None:
        """Count the votes about windows judged together."""
        votes = {model.name: found.shares[:, m] for m, model in enumerate(self.panel.models)}
        level = self.state.levels[CONSENSUS].level
        self._rate(CONSENSUS, len(ps), self.state.tally.together(CONSENSUS, np.array(ps), votes, level))

    def _rate(self, voter: str, judged: int, flagged: int) -> None:
        rates = self.state.rates[voter]
        rates.judged += judged
        rates.flagged += flagged

    def _evidence(self, group: Group, k: int, **found: Any) -> bytes:
        """The record from which the score can be computed again; `found` are its other fields."""
        window = group.windows[k]
        vector = used(window.entries).astype("<f4").tobytes()
        return Evidence(host=window.host, vector=vector, letters=group.letters[k], **found).dump()
