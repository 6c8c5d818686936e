"""The detector at work on one feed: frames in, drafts out.

Rules:
    1. One row after another: what comes out depends on the rows alone, not on how they were cut into frames.
    2. A frame is cut where the ledger closes, so that versions and verdicts change between entries only.
    3. The whole working state can be dumped after any frame and loaded again: it is a function of the rows so far.
    4. A frame is begun (its rows go to the senses) and ended (what they showed is decided), in order. The next may be
       begun before the last is ended: whatever the senses need to know between two entries (verdicts, rules) is settled
       when the rows are begun, whatever the ledger tells of them when they are ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final, TypeAlias

import msgspec

from adapters.artifacts import ArtifactError, Artifacts
from agents.detector import decide as detector
from agents.detector.cuts import Cuts
from agents.detector.ledger import Ledger
from agents.learner import decide as learner
from config.settings import Settings
from domain.facts.operation import RulesLoaded
from domain.facts.telemetry import FeedClosed, FeedFault, FeedOpened, LogReleased
from domain.journal import Draft
from domain.sighting import Sighting
from engine.beside import Beside
from engine.frame import Frame
from engine.pipeline import Pipeline
from engine.rules.ruleset import RuleSet
from engine.sensed import Judged, Notice, Sensed
from scheduler.drafts import Drafts
from scheduler.recovery import GAP, History, Recorded
from scheduler.rows import in_row_order, ledger_rows, skip_unread

LEARNER_COMMANDS: Final[dict[str, Callable[..., learner.Command]]] = {
    "baseline-warming": learner.WarmUpBegan,
    "model-trained": learner.ModelFitted,
    "baseline-learned": learner.WarmedUp,
    "baseline-shifted": learner.HostChanged,
    "threshold-moved": learner.LevelTracked,
    "votes-counted": learner.VotesTaken,
}
"""What the engine noticed, by name, and the learner's command that records it."""


Learned: TypeAlias = Callable[[str, int, int], list[Judged]]
"""Verdicts on threats of a feed between two log positions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Closing:
    """What was settled when the rows of an entry had been handed to the senses.

    Attributes:
        folded: log position of the last verdict or setting that is folded.
        learned: whether there are verdicts that the senses learn from.
        rules: the rule set that is in force from here on, when it is another.
        told: what the rules that are gone had not told yet.
        version: of all rules from here on.
    """

    folded: int
    learned: bool
    rules: RuleSet | None
    told: list[Sighting]
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """Rows that the senses are at, and what becomes of the entry behind them."""

    part: Frame | None
    ended: bool
    closing: _Closing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A draft and its place: `order` over all feeds of the run, `row` in its own feed."""

    order: int
    row: int
    draft: Draft


class Hunt:
    """Pipeline, decider state and ledger of one feed."""

    def __init__(
        self,
        feed: str,
        source: str,
        settings: Settings,
        artifacts: Artifacts,
        *,
        rules: RuleSet | None = None,
        beside: Beside | None = None,
        verdicts: Learned = lambda _feed, _after, _upto: [],
    ) -> None:
        self.feed = feed
        self.ledger = Ledger(feed=feed)
        self.rows = 0
        self.threats = 0
        self._source = source
        self._settings = settings
        self._artifacts = artifacts
        self._verdicts = verdicts
        self._folded = 0
        self._folds: dict[int, int] = {}
        self._wanted = rules or RuleSet()
        self._pipeline = new_pipeline(settings, self._wanted, beside)
        self._state = detector.State()
        self._versions = self._live_versions(self._pipeline.rules_version)
        self._drafts = Drafts(feed)
        self._order = 0
        self._cuts = Cuts(policy=settings.detector)
        self._begun: deque[list[_Begun]] = deque()
        self._ends: set[int] = set()
        self._swaps: deque[tuple[int, str]] = deque()
        self._again = False
        """Rows are read again: what they decide is recorded already."""

    def expect(self, history: History) -> None:
        """Close entries where the log says they closed, as long as rows are read again."""
        self._cuts.closings, self._ends = deque(history.closings), history.ends
        if history.opened:
            self._again = True
            self._folds = dict(zip(history.closings, history.folds, strict=False))
            self._swaps = deque(history.rules)
            first = self._swaps.popleft()[1] if history.rules and history.rules[0][0] == 0 else ""
            self._use(first)

    def adopt(self, recorded: Recorded, history: History) -> None:
        """Stand at the recorded cursor: what the log knows is taken from there and not from what was derived again."""
        self._ends, self._swaps, self._again = set(), deque(), False
        self._cuts.closings = deque()
        self._folds, self._folded = {}, history.folds[-1] if history.folds else 0
        if history.rules:
            self._use(history.rules[-1][1])
        self._state = history.state
        self.rows, self.threats = recorded.rows, history.threats
        self.ledger.number = history.number
        self.ledger.cursor = dict(recorded.consumed)
        now = self.ledger.counts()
        self.ledger.totals = {name: count - now[name] for name, count in recorded.totals.items()}
        self._cuts.stand_at(self.rows, self.ledger)

    def recorded(self, resume: bytes) -> Recorded:
        """The hunt's position, for the log; `resume` is what the telemetry needs to go on there."""
        return Recorded(rows=self.rows, consumed=self.ledger.cursor, totals=self.totals(), resume=resume)

    def open(self) -> list[Draft]:
        """The facts that the feed was opened, and under which rules: recorded once, however often it is read on."""
        opened = FeedOpened(feed=self.feed, source=self._source, settings_version=self._settings.settings_version)
        return [self._drafts.of(opened, self._drafts.root, 0), self._loaded(self._pipeline.rules)]

    def offer(self, rules: RuleSet) -> None:
        """Go on under these rules from the next ledger entry on."""
        self._wanted = rules

    def take(self, frame: Frame, folded: Callable[[], int]) -> list[Step]:
        """What the rows of a frame decide. `folded` gives the log position of the last verdict or setting folded."""
        self.begin(frame, folded)
        return self.end()

    def begin(self, frame: Frame, folded: Callable[[], int]) -> None:
        """Hand the rows of a frame to the senses; `end` gives what they decide."""
        cuts = self._cuts
        # rows are numbered here and not by the telemetry: rows that were lost to a gap keep their numbers
        frame.row = list(range(cuts.rows + 1, cuts.rows + 1 + len(frame)))
        begun = []
        for begin, end, closes in cuts.parts(frame.clock):
            part = None
            if end > begin:
                part = frame if end - begin == len(frame) else frame.slice(begin, end)
                skip_unread(part, self._pipeline.reads)
                self._pipeline.begin(part)
            ended = part is not None and cuts.rows in self._ends
            if ended:
                self._pipeline.begin_finish(cuts.rows, cuts.clock)  # read again: the feed came to an end here before
            begun.append(_Begun(part=part, ended=ended, closing=self._begin_closing(folded()) if closes else None))
        self._begun.append(begun)

    def end(self) -> list[Step]:
        """What the rows of the frame decide that was begun first and not ended yet."""
        steps: list[Step] = []
        for each in self._begun.popleft():
            if each.part is not None:
                steps += self._sensed(each.part, self._pipeline.end())
                self.ledger.take(ledger_rows(each.part))
                self.rows, self._order = each.part.row[-1], each.part.order[-1]
            if each.ended:
                self._told(self._pipeline.end().sightings)
            if each.closing is not None:
                steps += self._end_closing(each.closing)
        return steps

    def close_pipeline(self) -> None:
        """Let go of what the engine holds."""
        self._pipeline.close()

    def finish(self) -> list[Step]:
        """The feed came to its end: what was seen and not told yet."""
        drafts = self._told(self._pipeline.finish(self.rows, self.ledger.clock))
        return [Step(order=self._order, row=self.rows, draft=draft) for draft in drafts]

    def close_entry(self, folded: int) -> list[Step]:
        """Close the open ledger entry (none when no row came since the last)."""
        if not self.ledger.received:
            return []
        self._cuts.begin_entry()
        return self._end_closing(self._begin_closing(folded))

    def _begin_closing(self, folded: int) -> _Closing:
        """Settle what the senses know from the next row on: verdicts first, then rules."""
        rows, clock = self._cuts.rows, self._cuts.clock
        folded = self._folds.get(rows, folded) if self._again else folded
        judged = self._verdicts(self.feed, self._folded, folded) if folded > self._folded else []
        self._folded = max(folded, self._folded)
        if judged:
            self._pipeline.begin_learn(judged, rows, clock)
        rules = self._due_rules(rows)
        told = self._pipeline.swap_rules(rules, rows, clock) if rules is not None else []
        version = self._pipeline.rules_version
        return _Closing(folded=folded, learned=bool(judged), rules=rules, told=told, version=version)

    def _end_closing(self, closing: _Closing) -> list[Step]:
        """The facts of the entry, of what was learned, and of other rules."""
        number, clock = self.ledger.number, self.ledger.clock
        if self.ledger.candidates:
            self._artifacts.put("\n".join(self.ledger.candidates).encode())
        facts = self.ledger.close(self._settings.detector, self._versions, closing.folded)
        self._state = detector.forget(self._settings.detector, self._state, clock)
        cause = self._drafts.cause(f"entry|{number}")
        drafts = [self._drafts.of(fact, cause, clock, ordinal=index) for index, fact in enumerate(facts)]
        drafts += self._learned() if closing.learned else []
        if closing.rules is not None:
            drafts += [*self._told(closing.told), self._loaded(closing.rules)]
        self._versions = self._live_versions(closing.version)
        return [Step(order=self._order, row=self.rows, draft=draft) for draft in drafts]

    def _learned(self) -> list[Draft]:
        """What became true by the verdicts that were folded with this entry."""
        sensed = self._pipeline.end()
        drafts = [draft for notice in sensed.notices for draft in self._notice(notice)]
        self._keep(sensed.blobs, drafts)
        return drafts

    def _due_rules(self, rows: int) -> RuleSet | None:
        """The rules to go on with behind row `rows`: those that the log says came then, or were offered since."""
        if self._again:
            wanted = self._stored(self._swaps.popleft()[1]) if self._swaps and self._swaps[0][0] <= rows else None
        else:
            wanted = self._wanted
        return None if wanted is None or wanted.version == self._pipeline.rules.version else wanted

    def _loaded(self, rules: RuleSet) -> Draft:
        loaded = RulesLoaded(
            feed=self.feed,
            row=self.rows,
            version=rules.version,
            sha256=self._artifacts.put(rules.pack()),
            rules=len(rules),
            names=rules.names,
            ignored=len(rules.ignored),
            errors=rules.faults,
        )
        cause = self._drafts.cause(f"rules|{self.rows}|{rules.version}")
        return self._drafts.of(loaded, cause, self.ledger.clock)

    def _stored(self, sha256: str) -> RuleSet:
        return RuleSet.unpack(self._artifacts.get(sha256)) if sha256 else RuleSet()

    def _use(self, sha256: str) -> None:
        """Go on under recorded rules, without a word; "" are those of a log that was begun without any."""
        rules = self._stored(sha256)
        if rules.version != self._pipeline.rules.version:
            self._pipeline.swap_rules(rules, self.rows, self.ledger.clock)
            self._versions = self._live_versions(self._pipeline.rules_version)

    def fault(self, fault: FeedFault) -> Step:
        """A fault that is not of a row: a file that could not be read, rows that are gone."""
        return self.state(fault, f"fault|{fault.log}|{fault.reason}|{fault.row}|{fault.sample}")

    def skip(self, rows: int) -> list[Step]:
        """Rows that were consumed before a crash and can no longer be read: a gap. They stay counted and numbered."""
        if not rows:
            return []
        gap = FeedFault(feed=self.feed, log="", reason=GAP, row=self.rows, sample="", count=rows)
        return [self.fault(gap)]

    def close(self) -> Step:
        """The fact that the feed came to its end, with its totals."""
        return self.state(FeedClosed(feed=self.feed, **self.totals()), "closed")

    def state(self, fact: FeedFault | FeedClosed | LogReleased, cause: str) -> Step:
        """A fact of the feed itself, right after the last row; `cause` tells it from others of its kind."""
        draft = self._drafts.of(fact, self._drafts.cause(f"{cause}|{self.rows}"), self.ledger.clock)
        return Step(order=self._order, row=self.rows, draft=draft)

    def totals(self) -> dict[str, int]:
        """Rows received, scored, skipped, malformed and late since the feed was first opened."""
        return {name: self.ledger.totals.get(name, 0) + count for name, count in self.ledger.counts().items()}

    def dump(self) -> Iterator[bytes]:
        """The whole working state, piece by piece: it may have tens of megabytes."""
        ledger = asdict(self.ledger)
        ledger["faults"] = [[*key, *value] for key, value in self.ledger.faults.items()]
        head = msgspec.msgpack.encode(
            {
                "layout": self._layout(),
                "ledger": ledger,
                "rows": self.rows,
                "folded": self._folded,
                "rules": self._artifacts.put(self._pipeline.rules.pack()),
                "versions": asdict(self._versions),
            }
        )
        yield len(head).to_bytes(4, "big") + head
        yield from self._pipeline.pieces()

    def load(self, data: bytes) -> bool:
        """Go on from a dump. False, and nothing changed, when it was made by another version of the detections."""
        size = int.from_bytes(data[:4], "big")
        saved: dict[str, Any] = msgspec.msgpack.decode(data[4 : 4 + size])
        try:
            self._use(saved["rules"])
        except ArtifactError:
            return False
        if saved["layout"] != self._layout():
            return False
        ledger = saved["ledger"]
        ledger["faults"] = {(log, reason): (row, text, n) for log, reason, row, text, n in ledger["faults"]}
        ledger["cursor"] = {source: tuple(position) for source, position in ledger["cursor"].items()}
        self.ledger = Ledger(**ledger)
        self.rows, self._folded = saved["rows"], saved["folded"]
        while self._swaps and (self._swaps[0][0] < self.rows or self._swaps[0] == (self.rows, saved["rules"])):
            self._swaps.popleft()
        self._versions = detector.Versions(**saved["versions"])
        self._pipeline.load(data[4 + size :])
        self._cuts.stand_at(self.rows, self.ledger)
        return True

    def _layout(self) -> list[str]:
        return [self._pipeline.rules_version, self._settings.settings_version]

    def _live_versions(self, rules: str) -> detector.Versions:
        return detector.Versions(
            model=self._pipeline.model_version,
            rules=rules,
            settings=self._settings.settings_version,
        )

    def _sensed(self, frame: Frame, sensed: Sensed) -> list[Step]:
        self.ledger.scores.extend(p for _, p in sensed.scores)
        first = frame.row[0]
        steps: list[Step] = []
        for item in in_row_order(sensed):
            drafts = self._notice(item) if isinstance(item, Notice) else self._sight(item)
            steps += [Step(order=frame.order[item.row - first], row=item.row, draft=draft) for draft in drafts]
        self._keep(sensed.blobs, [step.draft for step in steps])
        return steps

    def _keep(self, blobs: Sequence[bytes], drafts: Sequence[Draft]) -> None:
        """Store what the facts name; the evidence of candidates that became none goes."""
        named = {getattr(draft.fact, field, "") for draft in drafts for field in ("detail", "sha256")}
        for blob in blobs if drafts else ():
            if sha256(blob).hexdigest() in named:
                self._artifacts.put(blob)

    def _notice(self, notice: Notice) -> list[Draft]:
        command = LEARNER_COMMANDS[notice.name](**notice.fields)
        # several hosts, or profiles of one host, may change at one row
        about = "|".join(f"{name}={value}" for name, value in sorted(notice.fields.items()))
        cause = self._drafts.cause(f"notice|{notice.name}|{notice.row}|{about}")
        return [self._drafts.of(fact, cause, notice.at, actor="learner") for fact in learner.decide(command)]

    def _told(self, sightings: Sequence[Sighting]) -> list[Draft]:
        return [draft for sighting in sightings for draft in self._sight(sighting)]

    def _sight(self, sighting: Sighting) -> list[Draft]:
        self.ledger.candidates.append(msgspec.json.encode(sighting).decode())
        command = detector.Sight(feed=self.feed, sighting=sighting, versions=self._versions)
        drafts = []
        for fact in detector.decide(self._settings.detector, command, self._state):
            self._state = detector.evolve(self._state, fact)
            ordinal = self._state.active[sighting.entity, sighting.topic].facts
            self.threats += ordinal == 1
            drafts.append(self._drafts.of(fact, fact.threat, sighting.at, ordinal=ordinal))
        return drafts


def new_pipeline(settings: Settings, rules: RuleSet, beside: Beside | None = None) -> Pipeline:
    """The engine as the settings want it; `beside` is the process beside, when it was begun already."""
    beside = beside or new_beside(settings)
    return Pipeline(settings.thresholds, seed=settings.seed, beside=beside, rules=rules)


def new_beside(settings: Settings) -> Beside:
    """The process beside: it has much to import, so begin it early."""
    return Beside(settings.thresholds, settings.seed)
