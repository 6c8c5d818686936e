"""Verdicts as the detections learn from them: which threat, which evidence, up to which position."""

from __future__ import annotations

from dataclasses import replace

from adapters.artifacts import Artifacts
from adapters.log import open_log
from scheduler.verdicts import Verdicts
from tests.projections.story import NOON, continued, detected, drafts, uid, verdict


def test_every_verdict_names_its_threat_and_the_evidence_of_its_time(tmp_path):
    artifacts, log = Artifacts(tmp_path), open_log("memory:", lambda: NOON)
    first, second = artifacts.put(b"first"), artifacts.put(b"second")
    stream, fact = detected("a")
    later, more = continued("a")
    log.append(drafts((stream, replace(fact, detail=first)), verdict("a", "incorrect")))
    log.append(drafts((later, replace(more, detail=second)), verdict("a", "correct"), start=NOON + 99))
    verdicts = Verdicts(log, artifacts)
    assert verdicts.folded() == 4
    told = verdicts.between("zeek", 0, 4)
    assert [(judged.threat, judged.verdict, judged.detail) for judged in told] == [
        (uid("a").hex, "incorrect", b"first"),
        (uid("a").hex, "correct", b"second"),
    ]
    assert [judged.verdict for judged in verdicts.between("zeek", 2, 4)] == ["correct"]
    assert verdicts.between("eve", 0, 4) == []
