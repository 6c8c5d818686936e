"""What is valid CACAO 2.0, and what is refused: with the place and the reason, in one line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.playbooks import read_playbook
from adapters.playbooks.cacao import STEPS
from adapters.playbooks.document import PlaybookError, document_of, open_document, usable
from adapters.playbooks.runnable import EXTENSION, NotRunnable, playbook_of
from tests.data import shared
from tests.playbooks.made import AGENT, END, FIRST, GONE, NOWHERE, SECOND, START, VALID, action, changed, openc2, read


def test_the_small_playbook_is_valid_and_nothing_is_noted():
    assert read(VALID).problems == ()


EXAMPLES = ("fin", "http", "manual", "openc2", "powershell", "ssh")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_another_orchestrator_are_valid(name):
    document = open_document(shared("cacao") / "soarca-examples" / f"{name}-playbook.json")
    assert document.errors == ()
    with pytest.raises(NotRunnable, match=r"step action--.* is not carried out here"):
        playbook_of(document)


WRONG = {
    "invalid_playbook": "agent_definitions.http-api--7e9174ec-a293-43df-a72d-471c79e276bf.type: "
    "must be 'http-api', is 'invalid'",
    "invalid_email_playbook": "agent_definitions.individual--6b23a237-ade8-4d00-9aa1-75999732d557.contact.email.work: "
    "'banana@business.com;`shh hack`' is no e-mail address",
    "missing_step_playbook": "workflow.action--2190f685-1857-44ac-ad0e-0ded6c6ef3ce.on_completion: "
    "end--6b23c237-ade8-4d00-9aa1-75999738d558 is no step of the workflow",
    "infinite_playbook": "workflow.action--6b23c237-ade8-4d00-9aa1-75999738d557: "
    "goes round for ever: no end can be reached from here",
    "changed-playbook": "workflow: must be an object that holds the steps by their ids, is an array",
}


@pytest.mark.parametrize("name", WRONG)
def test_playbooks_that_are_wrong_are_refused_with_the_place_and_the_reason(name):
    file = shared("cacao") / "soarca-test" / "playbooks" / f"{name}.json"
    with pytest.raises(PlaybookError) as raised:
        usable(open_document(file))
    assert str(raised.value) == f"{file}: {WRONG[name]}"


@pytest.mark.parametrize("name", ["playbook", "parallels_playbook"])
def test_the_right_ones_among_the_test_playbooks_are_valid(name):
    assert open_document(shared("cacao") / "soarca-test" / "playbooks" / f"{name}.json").errors == ()


HERE = f"workflow.{FIRST}"

REFUSED = {
    "another version": (changed("spec_version", to="cacao-1.1"), "spec_version: must be 'cacao-2.0', is 'cacao-1.1'"),
    "no name": (changed("name", to=GONE), "(document): lacks the property 'name'"),
    "an id without uuid": (changed("id", to="playbook--1"), "id: 'playbook--1' is no identifier (type--uuid)"),
    "the id of a step": (changed("id", to=START), f"id: {START} is no identifier of a playbook"),
    "a time without zone": (
        changed("created", to="2026-01-01T00:00:00"),
        "created: '2026-01-01T00:00:00' is no time in UTC (2026-01-31T12:00:00.000Z)",
    ),
    "a day that is not": (
        changed("created", to="2026-02-30T00:00:00Z"),
        "created: '2026-02-30T00:00:00Z' is no time in UTC (2026-01-31T12:00:00.000Z)",
    ),
    "over before it begins": (
        {**VALID, "valid_from": "2026-02-02T00:00:00Z", "valid_until": "2026-02-01T00:00:00Z"},
        "valid_until: '2026-02-01T00:00:00Z' is not after valid_from",
    ),
    "impact out of range": (changed("impact", to=101), "impact: must be a whole number from 0 to 100, is 101"),
    "a start that is not": (
        changed("workflow_start", to=NOWHERE), f"workflow_start: {NOWHERE} is no step of the workflow"
    ),
    "a way to nowhere": (
        changed("workflow", FIRST, "on_completion", to=NOWHERE),
        f"{HERE}.on_completion: {NOWHERE} is no step of the workflow",
    ),
    "no way on": (changed("workflow", FIRST, "on_completion", to=GONE), f"{HERE}: leads nowhere on and is no end"),
    "an end that goes on": (
        changed("workflow", END, to={"type": "end", "on_completion": FIRST}),
        f"workflow.{END}.on_completion: an end leads nowhere on",
    ),
    "two ways for success": (
        changed("workflow", FIRST, to={**action(SECOND), "on_success": END}),
        f"{HERE}.on_success: cannot be beside on_completion",
    ),
    "a circle": (
        changed("workflow", SECOND, "on_completion", to=FIRST),
        f"{HERE}: goes round for ever: no end can be reached from here",
    ),
    "a step of no type": (
        changed("workflow", NOWHERE.replace("action", "wish"), to={"type": "wish"}),
        f"workflow.{NOWHERE.replace('action', 'wish')}: 'wish' is no type of step; types are {', '.join(STEPS)}",
    ),
    "a step whose id says otherwise": (
        changed("workflow", FIRST, "type", to="parallel"), f"{HERE}.type: must be 'action', is 'parallel'"
    ),
    "no commands": (changed("workflow", FIRST, "commands", to=[]), f"{HERE}.commands: must hold at least 1, holds 0"),
    "a command without words": (
        changed("workflow", FIRST, "commands", to=[{"type": "ssh"}]),
        f"{HERE}.commands[0]: needs one of the properties command, command_b64",
    ),
    "no base64": (
        changed("workflow", FIRST, "commands", 0, "content_b64", to="a%b"),
        f"{HERE}.commands[0].content_b64: 'a%b' is no base64",
    ),
    "an agent that is not": (
        changed("workflow", FIRST, "agent", to=NOWHERE), f"{HERE}.agent: {NOWHERE} is not in agent_definitions"
    ),
    "a target that is not": (
        changed("workflow", FIRST, "targets", to=[NOWHERE]),
        f"{HERE}.targets[0]: {NOWHERE} is not in target_definitions",
    ),
    "a variable that is not": (
        changed("workflow", FIRST, "commands", 0, "command", to="POST /__where__:value HTTP/1.1"),
        f"{HERE}.commands[0].command: the variable __where__ is not declared",
    ),
    "a variable that is not, in base64": (
        changed("workflow", FIRST, "commands", 0, "content_b64", to="X193aGVyZV9fOnZhbHVl"),
        f"{HERE}.commands[0].content_b64: the variable __where__ is not declared",
    ),
    "a variable of no name": (
        changed("playbook_variables", "entity", to={"type": "string"}),
        "playbook_variables.entity: 'entity' is no name of a variable (__name__)",
    ),
    "an extension that is not": (
        changed("extension_definitions", to={}),
        f"playbook_extensions.{EXTENSION}: is not in extension_definitions",
    ),
    "a marking that is not": (
        {**VALID, "markings": ["marking-tlp--10000000-0000-4000-8000-000000000009"]},
        "markings[0]: marking-tlp--10000000-0000-4000-8000-000000000009 is not in data_marking_definitions",
    ),
    "a category that is a text": (
        changed("agent_definitions", AGENT, "category", to="firewall"),
        f"agent_definitions.{AGENT}.category: must be an array, is a text",
    ),
    "no object": ([VALID], "(document): must be an object, is an array"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_breaks_the_standard_is_refused(name):
    body, said = REFUSED[name]
    assert [str(problem) for problem in read(body).errors][:1] == [said]


def test_a_loop_with_a_way_out_is_valid():
    body = changed("workflow", SECOND, to={**action(FIRST), "on_failure": END})
    assert read(body).errors == ()


def test_a_step_that_nothing_leads_to_is_only_noted():
    document = read(changed("workflow", FIRST, "on_completion", to=END))
    assert document.errors == ()
    assert [str(note) for note in document.notes] == [f"workflow.{SECOND}: no other step leads here"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"{", "line 1: is no JSON: Expecting property name enclosed in double quotes"),
        (b"\xff{}", "(document): is not UTF-8: write it anew as UTF-8"),
        (b"[" * 100_000, "(document): is nested too deeply"),
        (json.dumps(VALID).encode()[:-1] + b', "x":' + b"[" * 900 + b"]" * 900 + b"}", ""),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "c: stands twice in one object"),
    ],
)
def test_what_is_no_json_is_refused(raw, said):
    assert [str(problem) for problem in document_of("x.json", raw).errors] == ([said] if said else [])


def test_a_file_that_is_not_there_is_a_clear_error(tmp_path):
    with pytest.raises(PlaybookError, match="cannot be read"):
        read_playbook(tmp_path / "none.json")


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([START, FIRST, AGENT, "type"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([FIRST, AGENT, "type", "name", "agent_target_extensions"]), inner, max_size=3)
    ),
    max_leaves=6,
)  # fmt: skip


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for name, part in value.items():
            yield from places(part, (*path, name))
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from places(part, (*path, i))


PLACES = [path for path in places(VALID) if path]


@settings(max_examples=100, deadline=None)
@given(where=st.sampled_from(PLACES), junk=JUNK, beside=st.text(max_size=6))
def test_whatever_stands_anywhere_is_told_or_runs_and_never_breaks_the_reader(where, junk, beside):
    body = changed(*where, to=junk)
    if where[:-1]:
        here = body
        for name in where[:-1]:
            here = here[name]
        if isinstance(here, dict):
            here[beside] = junk
    document = read(body)
    assert all("\n" not in str(problem) for problem in document.problems)
    if document.errors:
        with pytest.raises(PlaybookError):
            usable(document)
        return
    try:
        playbook = playbook_of(document)
    except NotRunnable as error:
        said = str(error)
    else:
        said = playbook.name
        assert all(step.undo and step.ttl > 0 and step.actuator for step in playbook.steps)
    assert "\n" not in said


NOT_RUNNABLE = {
    "no undo": (changed("workflow", FIRST, "step_extensions", to=GONE), "has no undo"),
    "another command": (
        changed("workflow", FIRST, "commands", to=[{"type": "ssh", "command": "ls"}]),
        "of the type ssh is not carried out",
    ),
    "two commands": (changed("workflow", FIRST, "commands", to=[openc2(), openc2()]), "has 2 commands"),
    "no end": (changed("workflow", FIRST, "commands", to=[openc2(duration=None)]), "needs an argument duration"),
    "for ever": (changed("workflow", FIRST, "commands", to=[openc2(duration=10**15)]), "needs an argument duration"),
    "no OpenC2": (changed("workflow", FIRST, "commands", 0, "content", to="{}"), "is no OpenC2 command"),
    "two targets": (
        changed("workflow", FIRST, "commands", to=[openc2(target={"ipv4_net": "a", "ipv6_net": "b"})]),
        "needs one target",
    ),
    "a target with parts": (
        changed("workflow", FIRST, "commands", to=[openc2(target={"ipv4_connection": {"src_addr": "1.2.3.4"}})]),
        "its target ipv4_connection is no text",
    ),
    "no actuator": (changed("agent_definitions", AGENT, "agent_target_extensions", to=GONE), "names no actuator"),
    "approval in words": (
        changed("workflow", FIRST, "step_extensions", to={EXTENSION: {"undo": "allow", "approval": "yes"}}),
        "approval must be true or false",
    ),
    "nothing to do": (changed("workflow", START, "on_completion", to=END), "there is no action before it"),
    "unknown kind": (
        changed("playbook_extensions", EXTENSION, "kinds", to=["rain"]),
        "'rain' is no kind of threat",
    ),
    "revoked": ({**VALID, "revoked": True}, "its author revoked it"),
    "no kinds": (changed("playbook_extensions", to=GONE), "names no kinds of threat"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_RUNNABLE)
def test_what_cannot_be_carried_out_or_taken_back_is_valid_and_not_runnable(name):
    body, said = NOT_RUNNABLE[name]
    document = read(body)
    assert document.errors == ()
    with pytest.raises(NotRunnable, match="not runnable: ") as raised:
        playbook_of(document)
    assert said in str(raised.value)


def test_a_playbook_is_what_its_document_says():
    playbook = playbook_of(
        read(changed("workflow", FIRST, "commands", to=[openc2(target={"ipv4_net": "198.51.100.1"})]))
    )
    assert (playbook.name, playbook.title, playbook.kinds, playbook.cost) == ("block-it", "Block it", ("flood",), 4.0)
    assert [
        (s.step, s.actuator, s.verb, s.target_type, s.target, s.ttl, s.undo, s.approval) for s in playbook.steps
    ] == [
        (FIRST, "firewall", "deny", "ipv4_net", "198.51.100.1", 60_000_000, "allow", False),
        (SECOND, "firewall", "deny", "ipv4_net", "entity", 60_000_000, "allow", False),
    ]


def test_a_command_inside_a_message_is_found_too():
    inner = json.loads(openc2()["content"])
    message = {"headers": {}, "body": {"openc2": {"request": inner}}}
    body = changed("workflow", FIRST, "commands", 0, "content", to=json.dumps(message))
    assert playbook_of(read(body)).steps[0].verb == "deny"


def test_the_version_is_that_of_the_bytes():
    assert read(VALID).version != read(changed("name", to="Other")).version
    assert read(VALID).version == read(VALID).version
