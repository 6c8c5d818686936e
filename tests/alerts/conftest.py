from __future__ import annotations

import pytest

from tests.alerts.receivers import Pem, make_pem


@pytest.fixture(scope="session")
def pem(tmp_path_factory) -> Pem:
    return make_pem(tmp_path_factory.mktemp("pem"))
