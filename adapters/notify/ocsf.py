"""Incidents as OCSF Incident Findings (class 2005, schema 1.5.0).

https://schema.ocsf.io/1.5.0/classes/incident_finding. Times are milliseconds since the epoch, as OCSF has them.
"""

from __future__ import annotations

from typing import Any, Final

from adapters.notify.words import advice, clean, headline
from agents.responder.notices import Notice
from domain.facts.alert import AlertTrigger
from domain.moments import rfc3339
from domain.values import KINDS, Level

VERSION: Final = "1.5.0"
CLASS: Final = 2005

ACTIVITY: Final[dict[AlertTrigger, tuple[int, str]]] = {"opened": (1, "Create"), "resolved": (3, "Close")}
"""activity_id and its caption; everything between is an update."""
UPDATE: Final = (2, "Update")

STATUS: Final[dict[AlertTrigger, tuple[int, str]]] = {
    "acknowledged": (2, "In Progress"),
    "resolved": (4, "Resolved"),
}
NEW: Final = (1, "New")

SEVERITY: Final[dict[Level, tuple[int, str]]] = {
    "low": (2, "Low"), "medium": (3, "Medium"), "high": (4, "High"), "critical": (5, "Critical"),
}  # fmt: skip
PRIORITY: Final[dict[Level, tuple[int, str]]] = {
    "low": (1, "Low"), "medium": (2, "Medium"), "high": (3, "High"), "critical": (4, "Critical"),
}  # fmt: skip


def incident_finding(notice: Notice, channel: str) -> dict[str, Any]:
    """The document. `metadata.uid` is the alert's key, `finding_info_list` the incident's threats.

    The schema asks for an assignee: it is the channel that is told.
    """
    activity, activity_name = ACTIVITY.get(notice.trigger, UPDATE)
    status, status_name = STATUS.get(notice.trigger, NEW)
    severity, severity_name = SEVERITY[notice.level]
    priority, priority_name = PRIORITY[notice.level]
    title = headline(notice, 300)
    return {
        "activity_id": activity,
        "activity_name": activity_name,
        "category_uid": CLASS // 1000,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Incident Finding",
        "type_uid": CLASS * 100 + activity,
        "type_name": f"Incident Finding: {activity_name}",
        "time": notice.occurred_at // 1000,
        "start_time": notice.opened_at // 1000,
        "severity_id": severity,
        "severity": severity_name,
        "status_id": status,
        "status": status_name,
        "priority_id": priority,
        "priority": priority_name,
        "assignee_group": {"name": channel},
        "count": max(1, notice.threat_count),
        "message": title,
        "desc": advice(notice),
        "attacks": [_attack(name) for name in sorted({t for kind in notice.kinds for t in KINDS[kind].techniques})],
        "finding_info_list": _findings(notice),
        "observables": [_observable(entity) for entity in notice.entities],
        "metadata": {
            "version": VERSION,
            "uid": str(notice.key),
            "correlation_uid": str(notice.incident),
            "product": {"name": "Myrmidon", "vendor_name": "Myrmidon"},
            "labels": ["test"] if notice.test else [],
        },
        "unmapped": {
            "incident": str(notice.incident),
            "trigger": notice.trigger,
            "risk": notice.risk,
            "region": clean(notice.region),
            "opened_at": rfc3339(notice.opened_at),
            "threat_count": notice.threat_count,
            "grouped": notice.grouped,
            "withheld": notice.withheld,
            "waited_seconds": notice.waited_seconds,
            "test": notice.test,
        },
    }


def _findings(notice: Notice) -> list[dict[str, Any]]:
    common = {"title": clean(notice.title), "types": list(notice.kinds), "created_time": notice.opened_at // 1000}
    threats = notice.threats or (notice.incident,)
    return [{"uid": str(threat), **common} for threat in threats]


def _attack(technique: str) -> dict[str, Any]:
    main, _, _ = technique.partition(".")
    attack: dict[str, Any] = {"technique": {"uid": main}, "version": "17.1"}
    return {**attack, "sub_technique": {"uid": technique}} if "." in technique else attack


def _observable(entity: str) -> dict[str, Any]:
    address = entity.replace(":", "").replace(".", "").isalnum() and (":" in entity or entity[:1].isdigit())
    return {
        "name": "finding_info_list.entity",
        "type_id": 2 if address else 1,
        "type": "IP Address" if address else "Hostname",
        "value": clean(entity),
    }
