"""`myrmidon models`: which models vote, what they were trained on, and how they have voted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from cli.context import context_of
from cli.insights import insights
from cli.output import emit, fail, note, plural, table, warming_up, when
from cli.reading import nothing_yet, opened_log, there
from domain.moments import rfc3339


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="The models that vote: versions, training, votes.", no_args_is_help=True)
    group.command("list")(list_models)
    group.command("show")(show)
    group.command("insights")(insights)
    app.add_typer(group, name="models")


def list_models(ctx: typer.Context) -> None:
    """Every version of every model, the newest of each first."""
    if not there(ctx):
        emit(ctx, [], lambda _: nothing_yet(ctx))
        return
    known = history(ctx)
    emit(ctx, [entry for entry in known.models.values() for entry in entry["versions"]], as_table)
    if not context_of(ctx).json:
        for line in known.warming():
            note(line)


def show(
    ctx: typer.Context, name: Annotated[str, typer.Argument(help="The model, as `models list` names it.")]
) -> None:
    """One model: its versions, its votes, and how often the consensus said otherwise."""
    if not there(ctx):
        fail(nothing_yet(ctx))
    known = history(ctx).models
    fits = [key for key in known if key == name or key.partition(".")[2] == name]
    if len(fits) != 1:
        these = ", ".join(sorted(fits or known)) or "none yet: the warm-up goes on"
        fail(f"model {name!r}: {'several feeds have it' if fits else 'there is none'}; known are {these}")
    emit(ctx, known[fits[0]], in_words)


@dataclass(slots=True)
class Known:
    """What the log says of models, by `feed.model`, and of warm-ups that go on, by `feed.profile`."""

    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    profiles: dict[str, tuple[int, int]] = field(default_factory=dict)
    evicted: dict[str, dict[str, int]] = field(default_factory=dict)

    def warming(self) -> list[str]:
        """A line for each warm-up that goes on."""
        return [warming_up(name, *counts) for name, counts in sorted(self.profiles.items())]


def history(ctx: typer.Context) -> Known:
    """What the log says of each model."""
    from adapters.artifacts import Artifacts
    from domain.facts.model import BaselineWarming, ModelRetired, ModelTimed, ThresholdMoved, VotesCounted
    from domain.facts.operation import ModelTrained
    from domain.facts.telemetry import BaselineLearned, StateEvicted
    from domain.journal import follow

    known = Known()
    models = known.models
    with opened_log(ctx) as journal:
        for batch in follow(journal):
            for recorded in batch:
                fact = recorded.fact
                key = recorded.stream.partition("/")[2]
                match fact:
                    case ModelTrained() | ModelRetired() | ThresholdMoved() | VotesCounted() | ModelTimed():
                        fold(models.setdefault(key, new(key)), fact, recorded.occurred_at)
                    case BaselineWarming():
                        known.profiles[key] = (fact.seen, fact.windows)
                    case BaselineLearned():
                        known.profiles.pop(key, None)
                    case StateEvicted():
                        known.evicted[key] = fact.totals
                    case _:
                        pass
    artifacts = Artifacts(context_of(ctx).where().artifacts)
    for version in (version for model in models.values() for version in model["versions"] if version["sha256"]):
        version["artifact"] = artifacts.fault(version["sha256"]) or "sound"
    for name, model in models.items():
        model["evicted"] = known.evicted.get(name.removesuffix(f".{name.rpartition('.')[2]}"), {})
    known.models = dict(sorted(models.items()))
    return known


def new(name: str) -> dict[str, Any]:
    """A model of which nothing is known yet."""
    counts = {"judged": 0, "votes": 0, "disagreements": 0}
    return {"name": name, "versions": [], **counts, "level": None, "verdicts": 0, "retired": None, "latency": None}


def fold(model: dict[str, Any], fact: Any, at: int) -> None:
    """What a fact adds to a model."""
    match fact.kind:
        case "model-trained":
            for version in model["versions"]:
                version["stage"] = "retired"
            model["retired"] = None
            trained = {"name": model["name"], "version": fact.version, "stage": "active", "metrics": {}}
            trained |= {
                "verdicts": fact.verdicts,
                "sha256": fact.sha256,
                "trained_at": rfc3339(at),
                "samples": fact.samples,
                "seed": fact.seed,
            }
            model["versions"].insert(0, trained)
        case "model-retired":
            model["retired"] = {"version": fact.version, "at": rfc3339(at), "reason": fact.reason}
            if not model["versions"]:
                never = {
                    "name": model["name"],
                    "version": "",
                    "stage": "retired",
                    "metrics": {},
                    "sha256": "",
                    "artifact": "-",
                }
                model["versions"].append(never | {"trained_at": None, "samples": 0, "seed": 0})
            model["versions"][0]["stage"] = "retired"
        case "model-timed":
            model["latency"] = {"windows": fact.windows, "mean_us": fact.mean_us, "p95_us": fact.p95_us}
        case "threshold-moved":
            model |= {"level": fact.level, "target": fact.target, "verdicts": fact.verdicts}
        case _:
            for count in ("judged", "votes", "disagreements"):
                model[count] += getattr(fact, count)
            metrics = {name: model[name] for name in ("judged", "votes", "disagreements")}
            for version in model["versions"][:1]:
                version["metrics"] = metrics


def as_table(versions: list[dict[str, Any]]) -> Any:
    """The list for people."""
    if not versions:
        return "no model yet: hosts are held against their peers until the warm-up ends"
    rows = [
        (v["name"], v["version"] or "-", v["stage"], f"{v['samples']:,}", moment(v["trained_at"]), told(v["artifact"]))
        for v in versions
    ]
    return table(["MODEL", "VERSION", "STAGE", "SAMPLES", "TRAINED", "ARTIFACT"], rows, right=["SAMPLES"])


def told(artifact: str) -> str:
    """The state of an artifact in a word."""
    return artifact if artifact in {"sound", "-"} else "CHANGED" if "was changed" in artifact else "MISSING"


def and_verdicts(version: dict[str, Any]) -> str:
    """The verdicts that a version rests on, if there are any."""
    return f" and {plural(version['verdicts'], 'verdict')}" if version.get("verdicts") else ""


def moment(text: str | None) -> str:
    """A moment for a table, if there is one."""
    return when(text) if text else "-"


def in_words(model: dict[str, Any]) -> str:
    """One model for people."""
    lines = [model["name"], ""]
    lines += [
        f"  {v['stage']:<8} {v['version']}  {plural(v['samples'], 'sample')}{and_verdicts(v)}, seed {v['seed']}, "
        f"{when(v['trained_at'])}"
        for v in model["versions"]
        if v["version"]
    ]
    lines += [f"  {v['version']}: {v['artifact']}" for v in model["versions"] if v["artifact"] not in {"sound", "-"}]
    if model["retired"]:
        lines.append(f"  left out since {when(model['retired']['at'])}: {model['retired']['reason']}")
    if model["judged"]:
        share, against = model["votes"] / model["judged"], model["disagreements"] / model["judged"]
        lines.append(
            f"  {plural(model['judged'], 'host window')} judged, {plural(model['votes'], 'vote')} ({share:.2%})"
        )
        lines.append(f"  {model['disagreements']:,} against the consensus ({against:.2%})")
    else:
        lines.append("  votes are counted at the end of each day of event time and of a feed; neither came yet")
    if model["latency"]:
        took = model["latency"]
        lines.append(
            f"  {took['mean_us']:,.1f} us a host window on average, {took['p95_us']:,.1f} us at the 95th percentile"
        )
    if model["evicted"]:
        counts = ", ".join(f"{name} {count:,}" for name, count in model["evicted"].items())
        lines.append(f"  forgotten or left out in this feed for want of room: {counts}")
    if model["level"] is not None:
        lines.append(f"  verdicts moved its level to {model['level']} (promised {model['target']})")
    return "\n".join(lines)
