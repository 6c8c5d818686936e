"""`myrmidon models`: which models vote, what they were trained on, and how they have voted."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.insights import insights
from cli.output import emit, fail, table, when
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
    emit(ctx, [entry for entry in history(ctx).values() for entry in entry["versions"]], as_table)


def show(
    ctx: typer.Context, name: Annotated[str, typer.Argument(help="The model, as `models list` names it.")]
) -> None:
    """One model: its versions, its votes, and how often the consensus said otherwise."""
    if not there(ctx):
        fail(nothing_yet(ctx))
    known = history(ctx)
    fits = [key for key in known if key == name or key.partition(".")[2] == name]
    if len(fits) != 1:
        these = ", ".join(sorted(fits or known)) or "none yet: the warm-up goes on"
        fail(f"model {name!r}: {'several feeds have it' if fits else 'there is none'}; known are {these}")
    emit(ctx, known[fits[0]], in_words)


def history(ctx: typer.Context) -> dict[str, dict[str, Any]]:
    """What the log says of each model, by `feed.model`."""
    from domain.facts.model import ThresholdMoved, VotesCounted
    from domain.facts.operation import ModelTrained
    from domain.journal import follow

    models: dict[str, dict[str, Any]] = {}
    with opened_log(ctx) as journal:
        for batch in follow(journal):
            for recorded in batch:
                fact = recorded.fact
                if isinstance(fact, ModelTrained | ThresholdMoved | VotesCounted):
                    key = recorded.stream.partition("/")[2]
                    fold(models.setdefault(key, new(key)), fact, recorded.occurred_at)
    return dict(sorted(models.items()))


def new(name: str) -> dict[str, Any]:
    """A model of which nothing is known yet."""
    return {"name": name, "versions": [], "judged": 0, "votes": 0, "disagreements": 0, "level": None, "verdicts": 0}


def fold(model: dict[str, Any], fact: Any, at: int) -> None:
    """What a fact adds to a model."""
    match fact.kind:
        case "model-trained":
            for version in model["versions"]:
                version["stage"] = "retired"
            trained = {"name": model["name"], "version": fact.version, "stage": "active", "metrics": {}}
            trained |= {"sha256": fact.sha256, "trained_at": rfc3339(at), "samples": fact.samples, "seed": fact.seed}
            model["versions"].insert(0, trained)
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
    rows = [(v["name"], v["version"], v["stage"], f"{v['samples']:,}", when(v["trained_at"])) for v in versions]
    return table(["MODEL", "VERSION", "STAGE", "SAMPLES", "TRAINED"], rows, right=["SAMPLES"])


def in_words(model: dict[str, Any]) -> str:
    """One model for people."""
    lines = [model["name"], ""]
    lines += [
        f"  {v['stage']:<8} {v['version']}  {v['samples']:,} samples, seed {v['seed']}, {when(v['trained_at'])}"
        for v in model["versions"]
    ]
    if model["judged"]:
        share, against = model["votes"] / model["judged"], model["disagreements"] / model["judged"]
        lines.append(f"  {model['judged']:,} host windows judged, {model['votes']:,} votes ({share:.2%})")
        lines.append(f"  {model['disagreements']:,} against the consensus ({against:.2%})")
    else:
        lines.append("  votes are counted at the end of each day of event time; no day has ended yet")
    if model["level"] is not None:
        lines.append(f"  verdicts moved its level to {model['level']} (promised {model['target']})")
    return "\n".join(lines)
