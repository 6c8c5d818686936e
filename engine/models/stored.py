"""Model artifacts: bytes that are checked before they are believed, and never a pickle.

Rules:
    1. Our own models are plain arrays in msgpack (`Model.dump`). Estimators of scikit-learn go through skops, which
       builds only types that are named; `TRUSTED` is the whole list of those that it does not know itself.
    2. An artifact is named by its SHA-256 and verified before a byte of it is read.
    3. A wrong artifact is refused with one error, whatever is wrong with it, and who serves goes on serving.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from domain.errors import MyrmidonError
from engine.models.base import Model, ModelDamaged, verified
from engine.models.panel import Left, reason_of
from engine.models.registry import OURS, ModelUnusable, family_of

TRUSTED: Final = (
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""Types of scikit-learn's trees: what skops may build beyond what it trusts by itself."""


class ArtifactRefused(MyrmidonError):  # noqa: N818 - says what it is
    """An artifact is not what it should be: restore it from a backup, or train anew."""


def dump_estimators(estimators: Any) -> bytes:
    """Estimators of scikit-learn (and tuples of them) as bytes."""
    from skops.io import dumps

    return bytes(dumps(estimators, compression=zipfile.ZIP_DEFLATED, compresslevel=6))


def load_estimators(data: bytes, expected_sha256: str, what: str) -> Any:
    """The estimators of a dump.

    Raises:
        ModelDamaged: the bytes do not have the expected hash.
        ArtifactRefused: they hold a type that is not in `TRUSTED`, or are no dump at all.
    """
    from skops.io import get_untrusted_types, loads

    verified(data, expected_sha256, what)
    try:
        strange = sorted(set(get_untrusted_types(data=data)) - set(TRUSTED))
        if not strange:
            return loads(data, trusted=list(TRUSTED))
    except Exception as error:
        raise ArtifactRefused(f"{what}: cannot be read ({error}): restore it from a backup, or train anew") from error
    raise ArtifactRefused(f"{what}: holds the type {strange[0]}, which is not trusted: train anew")


def loaded(stored: Iterable[tuple[str, str, bytes]]) -> tuple[list[Model], list[Left]]:
    """The models of some dumps (name, SHA-256, bytes), and those that cannot be loaded any more.

    Raises:
        ModelDamaged: bytes do not have their hash.
    """
    models: list[Model] = []
    left: list[Left] = []
    for name, expected, data in stored:
        verified(data, expected, name)
        try:
            models.append(family_of(name).load(data, expected))
        except Exception as error:
            if name in OURS:
                raise
            left.append(Left(name, expected[:12], reason_of(error)))
    return models, left


class Serving:
    """The model that answers now; an offered one takes its place only if it is sound."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def offer(self, name: str, data: bytes, expected_sha256: str) -> None:
        """Serve the model of an artifact from now on.

        Raises:
            ArtifactRefused: it is damaged, of no known family, or cannot be read; the one before goes on serving.
        """
        try:
            self.model = family_of(name).load(data, expected_sha256)
        except (ModelDamaged, ModelUnusable) as error:
            raise ArtifactRefused(f"{error}; {self.model.name} {self.model.sha256[:12]} goes on serving") from error
        except (msgspec.MsgspecError, ValueError, TypeError) as error:
            raise ArtifactRefused(
                f"{name}: is no model of that family ({error}); {self.model.sha256[:12]} goes on serving"
            ) from error
