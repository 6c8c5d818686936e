"""Signed checkpoints: what the log was like at a moment, kept outside of it.

A chain alone sees neither a cut tail nor an edit after which all hashes were computed anew. A checkpoint holds
position, head and digest under an Ed25519 signature; whoever keeps the file (and the public key) elsewhere can tell.

Rules:
    1. The key is made at first use, readable by its owner only; its public half lies beside it as `<key>.pub`.
    2. Signed are the bytes of the JSON object without its signature: keys sorted, no spaces.
    3. A checkpoint proves nothing by itself: anybody can sign. It must be signed by the home's key, or by the one
       that is given beside it. Where it cannot be held against the log, the answer says so, and what the chain is like.
    4. A file is replaced only by one that says the same and more: while the log still holds what the file says.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from adapters.artifacts import write_whole
from adapters.log.base import ChainedLog, positions
from domain.journal import Fingerprint, JournalError, Verification
from domain.moments import rfc3339
from domain.values import Micros

FORMAT: Final = "myrmidon-checkpoint-1"
FIELDS: Final = {
    "format": str,
    "log_id": str,
    "position": int,
    "events": int,
    "head": str,
    "digest": str,
    "made_at": int,
    "public_key": str,
    "signature": str,
}


PUB: Final = "`<key>.pub` that lies beside the signing key"


def write_checkpoint(journal: ChainedLog, file: Path, keyfile: Path, now: Callable[[], Micros]) -> Fingerprint:
    """Sign the present end of the log into `file`; returns what was signed.

    Raises:
        JournalError: the file cannot be written, or holds what the log does not hold (any more).
    """
    if file.exists():
        _check_kept(journal, file, keyfile)
    key = _private_key(keyfile)
    end = journal.fingerprint()
    told = {
        "format": FORMAT,
        "log_id": journal.log_id,
        "position": end.position,
        "events": end.events,
        "head": end.head,
        "digest": end.digest,
        "made_at": now(),
        "public_key": key.public_key().public_bytes_raw().hex(),
    }
    told["signature"] = key.sign(_signed_bytes(told)).hex()
    try:
        write_whole(file, [(json.dumps(told, indent=2) + "\n").encode()])
    except OSError as error:
        raise JournalError(
            f"checkpoint {file} cannot be written ({error.strerror}): make its folder, or choose another place"
        ) from error
    return end


def _check_kept(journal: ChainedLog, file: Path, keyfile: Path) -> None:
    fault = _forgery(_load(file), _public_key(keyfile))
    if fault:
        raise JournalError(f"{file} is not overwritten: {fault}; or choose another file")
    found = verify_checkpoint(journal, file, keyfile)
    if not found.ok:
        raise JournalError(f"the log no longer holds what {file} says ({found.reason}): keep {file} as evidence")


def verify_checkpoint(
    journal: ChainedLog, file: Path, keyfile: Path | None = None, given: Path | None = None
) -> Verification:
    """Walk the whole chain and hold it against a checkpoint.

    Args:
        journal: the log.
        file: the checkpoint.
        keyfile: the home's key, whose `.pub` counts where no other is given.
        given: the file of the public key that must have signed.

    Raises:
        JournalError: the file is no checkpoint; or the key is none.
    """
    told = _load(file)
    pinned = _given_key(given) if given else _public_key(keyfile) if keyfile else None
    found, mark = journal.audit(told["position"])
    fault = _forgery(told, pinned) or _stranger(told, journal.log_id, mark)
    if fault:
        reason = found.reason or f"{file} could not be held against this log: {fault}"
        return replace(found, ok=False, reason=reason, unproven=fault)
    return _compare(found, mark, told)


def _stranger(told: dict[str, Any], log_id: str, mark: Fingerprint | None) -> str:
    """Why a checkpoint is not of this log; empty when it is."""
    if told["log_id"] == log_id:
        return ""
    both = f"it is of log {told['log_id']}, and this is log {log_id}"
    if mark is not None and told["position"] and mark.head == told["head"]:
        return f"{both}; yet this log holds exactly what was signed: its identity was changed since"
    return (
        f"{both}: either it is the checkpoint of another home, then take this one's, or another log was put in the "
        "place of the one that was signed"
    )


def _compare(found: Verification, mark: Fingerprint | None, told: dict[str, Any]) -> Verification:
    position, signed = told["position"], f"signed at position {told['position']:,} on {rfc3339(told['made_at'])[:19]}Z"
    if not found.ok or position == 0:
        return found
    if mark is None:
        lost = found.events + 1, position
        reason = f"{positions(*lost)} missing: the checkpoint was {signed}, the log's tail was cut since"
        return replace(found, ok=False, first_break=lost[0], reason=reason, missing=lost)
    if (mark.head, mark.digest, mark.events) == (told["head"], told["digest"], told["events"]):
        return found
    reason = (
        f"the hash at position {position:,} is not the one that was {signed}: a fact at or before it was edited since "
        "and all hashes after it were computed anew; an older checkpoint that fits says from where on"
    )
    return replace(found, ok=False, first_break=position, reason=reason)


def _load(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_bytes())
    except OSError as error:
        raise _unusable(file, error.strerror or "no answer") from error
    except (ValueError, RecursionError) as error:
        raise _unusable(file, "it is not JSON") from error
    if not isinstance(told, dict):
        raise _unusable(file, "it is no JSON object")
    for name, kind in FIELDS.items():
        if type(told.get(name)) is not kind:
            raise _unusable(file, f"{name} is missing or no {'text' if kind is str else 'whole number'}")
        if kind is int and not 0 <= told[name] < 1 << 63:
            raise _unusable(file, f"{name} is out of range")
    if told["format"] != FORMAT:
        raise JournalError(f"{file} is of format {told['format'][:40]!r}, this release reads {FORMAT}: upgrade it")
    return {name: told[name] for name in FIELDS}


def _unusable(file: Path, why: str) -> JournalError:
    return JournalError(
        f"{file} cannot be read as a checkpoint ({why}): give a file that `myrmidon audit checkpoint` wrote"
    )


def _forgery(told: dict[str, Any], pinned: bytes | None) -> str:
    if pinned is None:
        return f"it needs the public key {told['public_key'][:16]}..., which is not in this home: give it by --key FILE"
    if told["public_key"] != pinned.hex():
        return (
            f"it is signed by the key {told['public_key'][:16]}..., not by the known one, {pinned.hex()[:16]}...: a "
            "forgery, or the checkpoint of another home (then give its key by --key FILE)"
        )
    try:
        key = Ed25519PublicKey.from_public_bytes(pinned)
        key.verify(bytes.fromhex(told["signature"]), _signed_bytes(told))
    except (InvalidSignature, ValueError):
        return "the signature does not fit: the checkpoint was changed or forged"
    return ""


def _signed_bytes(told: dict[str, Any]) -> bytes:
    rest = {name: value for name, value in told.items() if name != "signature"}
    return json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()


def _pub(keyfile: Path) -> Path:
    return keyfile.with_name(keyfile.name + ".pub")


def _private_key(keyfile: Path) -> Ed25519PrivateKey:
    try:
        keyfile.parent.mkdir(parents=True, exist_ok=True)
        if not keyfile.exists():
            _make_key(keyfile)
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(keyfile.read_text()))
        if not _pub(keyfile).exists():
            _pub(keyfile).write_text(key.public_key().public_bytes_raw().hex() + "\n")
    except (OSError, ValueError) as error:
        raise JournalError(f"signing key {keyfile} cannot be used: {error}") from error
    return key


def _make_key(keyfile: Path) -> None:
    """Write a new key; the file appears complete and private, or not at all."""
    draft = keyfile.with_name(f"{keyfile.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(Ed25519PrivateKey.generate().private_bytes_raw().hex() + "\n")
    try:
        keyfile.hardlink_to(draft)
    except FileExistsError:  # another process made one meanwhile: that one counts
        pass
    finally:
        draft.unlink()


def _public_key(keyfile: Path) -> bytes | None:
    if _pub(keyfile).exists():
        return _given_key(_pub(keyfile))
    return _private_key(keyfile).public_key().public_bytes_raw() if keyfile.exists() else None


def _given_key(file: Path) -> bytes:
    try:
        key = bytes.fromhex(file.read_bytes().decode("ascii"))
        Ed25519PublicKey.from_public_bytes(key)
    except OSError as error:
        raise JournalError(f"public key {file} cannot be read ({error.strerror}): give the file {PUB}") from error
    except ValueError as error:
        raise JournalError(f"{file} is no public key (64 hexadecimal digits): give the file {PUB}") from error
    return key
