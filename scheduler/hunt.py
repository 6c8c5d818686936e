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
from dataclasses import asdict
from hashlib import sha256
from typing import Any, TypeAlias

import msgspec

from adapters.artifacts import ArtifactError, Artifacts
from agents.detector import decide as detector
from agents.detector.cuts import Cuts
from agents.detector.ledger import Ledger
from agents.learner import decide as learner
from config.settings import Settings
from domain.facts.telemetry import FeedClosed, FeedFault, FeedOpened, LogReleased, StateEvicted
from domain.journal import Draft
from domain.sighting import Sighting
from engine.beside import Beside
from engine.frame import Frame
from engine.pipeline import Pipeline
from engine.rules.ruleset import RuleSet
from engine.sensed import Judged, Notice, Sensed
from scheduler.drafts import LEARNER_COMMANDS, Drafts
from scheduler.recovery import CHANGED, GAP, History, Recorded
from scheduler.rows import in_row_order, ledger_rows, skip_unread
from scheduler.rules_in_force import RulesInForce
from scheduler.stages import Begun, Closing, Step

Learned: TypeAlias = Callable[[str, int, int], list[Judged]]
"""Verdicts on threats of a feed between two log positions."""


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
        warn: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.feed = feed
        self.ledger = Ledger(feed=feed)
        self.rows = 0
        self.threats = 0
        self._source = source
        self._settings = settings
        self._artifacts = artifacts
        self._verdicts = verdicts
        self._warn = warn
        self._folded = 0
        self._folds: dict[int, int] = {}
        self._hashes: dict[int, str] = {}
        self._changed: list[FeedFault] = []
        self.rules = RulesInForce(feed, rules or RuleSet(), artifacts, warn)
        self._pipeline = new_pipeline(settings, self.rules.offered, beside)
        self._state = detector.State()
        self._versions = self._live_versions(self._pipeline.rules_version)
        self._drafts = Drafts(feed)
        self._evicted: dict[str, int] = {}
        self._order = 0
        self._cuts = Cuts(policy=settings.detector)
        self._begun: deque[list[Begun]] = deque()
        self._ends: set[int] = set()
        self._again = False
        """Rows are read again: what they decide is recorded already."""

    def expect(self, history: History) -> None:
        """Close entries where the log says they closed, as long as rows are read again."""
        self._cuts.closings, self._ends = deque(history.closings), history.ends
        if history.opened:
            self._again = True
            self._folds = dict(zip(history.closings, history.folds, strict=False))
            self._hashes = dict(zip(history.closings, history.hashes, strict=False))
            self._use(self.rules.expect(history.rules))

    def adopt(self, recorded: Recorded, history: History) -> None:
        """Stand at the recorded cursor: what the log knows is taken from there and not from what was derived again."""
        self._ends, self._again = set(), False
        self._cuts.closings = deque()
        self._folds, self._folded = {}, history.folds[-1] if history.folds else 0
        if (last := self.rules.adopt(history.rules, history.faults)) is not None:
            self._use(last)
        self._state = history.state
        self.rows, self.threats = recorded.rows, history.threats
        self.ledger.number, self.ledger.clock = history.number, max(self.ledger.clock, history.clock)
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
            begun.append(Begun(part=part, ended=ended, closing=self._begin_closing(folded()) if closes else None))
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
                self._finished()
            if each.closing is not None:
                steps += self._end_closing(each.closing)
        return steps

    def close_pipeline(self) -> None:
        """Let go of what the engine holds."""
        self._pipeline.close()

    def finish(self) -> list[Step]:
        """The feed came to its end: what was seen and not told yet, and how the models voted."""
        self._pipeline.begin_finish(self.rows, self.ledger.clock)
        drafts = self._finished()
        return [Step(order=self._order, row=self.rows, draft=draft) for draft in drafts]

    def _finished(self) -> list[Draft]:
        ended = self._pipeline.end()
        return [*self._told(ended.sightings), *(draft for notice in ended.notices for draft in self._notice(notice))]

    def close_entry(self, folded: int) -> list[Step]:
        """Close the open ledger entry (none when no row came since the last)."""
        if not self.ledger.received:
            return []
        self._cuts.begin_entry()
        return self._end_closing(self._begin_closing(folded))

    def _begin_closing(self, folded: int) -> Closing:
        """Settle what the senses know from the next row on: verdicts first, then rules."""
        rows, clock = self._cuts.rows, self._cuts.clock
        folded = self._folds.get(rows, folded) if self._again else folded
        judged = self._verdicts(self.feed, self._folded, folded) if folded > self._folded else []
        self._folded = max(folded, self._folded)
        if judged:
            self._pipeline.begin_learn(judged, rows, clock)
        live = self._pipeline.rules.version
        rules = self.rules.next_recorded(rows, live) if self._again else self.rules.next_offered(live)
        told = self._pipeline.swap_rules(rules, rows, clock) if rules is not None else []
        version = self._pipeline.rules_version
        return Closing(folded=folded, learned=bool(judged), rules=rules, told=told, version=version)

    def _end_closing(self, closing: Closing) -> list[Step]:
        """The facts of the entry, of what was learned, and of other rules."""
        number, clock = self.ledger.number, self.ledger.clock
        if self.ledger.candidates:
            self._artifacts.put("\n".join(self.ledger.candidates).encode())
        received = self.ledger.received
        facts = self.ledger.close(self._settings.detector, self._versions, closing.folded)
        if self._again and getattr(facts[0], "rows_sha256", "") != self._hashes.get(self.rows):
            self._changed.append(
                FeedFault(feed=self.feed, log="", reason=CHANGED, row=self.rows, sample="", count=received)
            )
        self._state = detector.forget(self._settings.detector, self._state, clock)
        cause = self._drafts.cause(f"entry|{number}")
        drafts = [self._drafts.of(fact, cause, clock, ordinal=index) for index, fact in enumerate(facts)]
        if self._pipeline.evicted != self._evicted:
            self._evicted = self._pipeline.evicted
            evicted = StateEvicted(feed=self.feed, number=number, totals=self._evicted)
            drafts.append(self._drafts.of(evicted, cause, clock))
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

    def _loaded(self, rules: RuleSet) -> Draft:
        fact = self.rules.loaded(rules, self.rows)
        cause = self._drafts.cause(f"rules|{self.rows}|{rules.version}|{self.rules.loads}")
        return self._drafts.of(fact, cause, self.ledger.clock)

    def idle(self) -> list[Step]:
        """No row came for a moment: tell what is wrong with the rules, or no longer is, if they are the same."""
        rules = self.rules.other_faults(self._pipeline.rules.version) if not self._begun else None
        return [] if rules is None else [Step(order=self._order, row=self.rows, draft=self._loaded(rules))]

    def _use(self, rules: RuleSet) -> None:
        """Go on under recorded rules, without a word."""
        if rules.version != self._pipeline.rules.version:
            self._pipeline.swap_rules(rules, self.rows, self.ledger.clock)
            self._versions = self._live_versions(self._pipeline.rules_version)

    def fault(self, fault: FeedFault) -> Step:
        """A fault that is not of a row: a file that could not be read, rows that are gone."""
        return self.state(fault, f"fault|{fault.log}|{fault.reason}|{fault.row}|{fault.sample}")

    def skip(self, rows: int) -> list[Step]:
        """What was wrong with rows that were read again: entries whose rows changed, and rows that are gone.

        Rows that were consumed before a crash and can no longer be read are a gap: they stay counted and numbered.
        """
        found, self._changed = self._changed, []
        if rows:
            found.append(FeedFault(feed=self.feed, log="", reason=GAP, row=self.rows, sample="", count=rows))
        for fault in found:
            self._warn(f"feed {self.feed}: {fault.reason} ({fault.count:,} rows up to row {fault.row:,})")
        return [self.fault(fault) for fault in found]

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
                "evicted": self._evicted,
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
            self._use(self.rules.stored(saved["rules"]))
        except ArtifactError:
            return False
        if saved["layout"] != self._layout():
            return False
        ledger = saved["ledger"]
        ledger["faults"] = {(log, reason): (row, text, n) for log, reason, row, text, n in ledger["faults"]}
        ledger["cursor"] = {source: tuple(position) for source, position in ledger["cursor"].items()}
        self.ledger = Ledger(**ledger)
        self.rows, self._folded, self._evicted = saved["rows"], saved["folded"], saved["evicted"]
        self.rules.pass_over(self.rows, saved["rules"])
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
        self.ledger.scores += sensed.scores
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
        if notice.name == "model-retired" and not self._again:
            left = f"model {notice.fields['model']} is left out, the others vote on: {notice.fields['reason']}"
            self._warn(f"feed {self.feed}: {left}; mend or remove the package that provides it")
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
            ordinal = self._state.of(fact).facts
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
