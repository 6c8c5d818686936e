"""An alert as the tests of channels send it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from agents.responder.notices import Notice
from domain.values import SECOND

KEY = UUID("892e5cc5-cedc-5b8f-990e-e2a54f5f9086")
INCIDENT = UUID("cc92c64f-e8fe-5745-8957-356d9ed62456")
THREAT = UUID("3eea497c-ac30-5c9b-bbdb-653058276f33")
AT = 1_700_000_009_500_000


def notice(**more: Any) -> Notice:
    values: dict[str, Any] = {
        "key": KEY,
        "incident": INCIDENT,
        "trigger": "opened",
        "level": "high",
        "risk": 7.25,
        "title": "10.0.0.66 looked for one service on many hosts",
        "entities": ("10.0.0.66", "mail"),
        "kinds": ("horizontal-scan", "beacon"),
        "threats": (THREAT,),
        "threat_count": 3,
        "opened_at": AT - 60 * SECOND,
        "occurred_at": AT,
    }
    return Notice(**{**values, **more})
