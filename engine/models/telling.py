"""What the anomaly detector tells beside its sightings: how far warm-ups are, how models vote, and who left."""

from __future__ import annotations

from domain.values import Micros
from engine.models import peers
from engine.models.base import Model, version_of
from engine.models.panel import Panel
from engine.models.progress import Progress
from engine.models.state import CONSENSUS, State
from engine.models.timing import Timing
from engine.sensed import Notice, NoticeName, Sensed
from engine.verdict.tracker import Tracker


class Teller:
    """Adds the notices of one moment, right after row `row`, to what was sensed."""

    def __init__(self, sensed: Sensed, row: int, at: Micros) -> None:
        self._sensed, self._row, self._at = sensed, row, at

    def tell(self, name: NoticeName, **fields: str | float) -> None:
        """One notice."""
        self._sensed.notices.append(Notice(row=self._row, at=self._at, name=name, fields=fields))

    def votes(self, state: State, panel: Panel, timing: Timing) -> None:
        """How the voters voted since the last count, and how long they took."""
        versions = {model.name: version_of(model) for model in panel.models}
        versions |= {CONSENSUS: panel.version, peers.NAME: peers.VERSION}
        for voter, (judged, votes, against) in state.tally.taken().items():
            counts = {"judged": judged, "votes": votes, "disagreements": against}
            self.tell("votes-counted", model=voter, version=versions[voter], **counts)
        for model, (windows, mean, p95) in timing.taken().items():
            self.tell("model-timed", model=model, windows=windows, mean_us=mean, p95_us=p95)

    def warming(self, state: State, profile: str, seen: int, needed: int, least_peers: int) -> None:
        """How far the warm-up of a profile is, if that is news."""
        reached = state.progress.setdefault(profile, Progress(needed)).reached(seen)
        if reached is not None:
            self.tell("baseline-warming", profile=profile, windows=needed, seen=reached, least_peers=least_peers)

    def warmed(self, state: State, profile: str, windows: int, hosts: int, version: str) -> None:
        """The warm-up of a profile is over."""
        state.progress[profile].learned = True
        self.tell("baseline-learned", profile=profile, windows=windows, hosts=hosts, model_version=version)

    def trained(self, model: Model, samples: int, verdicts: int, seed: int) -> None:
        """A model was fitted on so many windows, or moved by verdicts."""
        known = {"samples": samples, "verdicts": verdicts, "seed": seed}
        self.tell("model-trained", model=model.name, version=version_of(model), sha256=model.sha256, **known)

    def moved(self, voter: str, tracker: Tracker) -> None:
        """Verdicts moved the level of a voter."""
        numbers = {"level": tracker.level, "target": tracker.target, "verdicts": tracker.verdicts}
        self.tell("threshold-moved", model=voter, **numbers)

    def gone(self, state: State) -> None:
        """The models that left and were not told yet."""
        for left in sorted(state.gone):
            state.tally.counts.pop(left.name, None)
            self.tell("model-retired", model=left.name, version=left.version, reason=left.reason)
        state.gone = []
