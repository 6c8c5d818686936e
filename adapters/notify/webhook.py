"""Any receiver over HTTP: an OCSF Incident Finding, signed in the manner of Standard Webhooks.

https://www.standardwebhooks.com: `webhook-id`, `webhook-timestamp`, and `webhook-signature`, which is `v1,` and the
base64 of HMAC-SHA256 over `id.timestamp.body`. A secret that begins with `whsec_` is base64. Any 2xx is an acceptance.
"""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from hmac import digest

from adapters.notify.http import Poster
from adapters.notify.ocsf import incident_finding
from adapters.notify.secret import read_secret
from agents.responder.notices import Notice, NotifyError
from config.alerts import WebhookSettings


class Webhook:
    """A channel of kind `webhook`."""

    kind = "webhook"

    def __init__(self, name: str, settings: WebhookSettings) -> None:
        self.name = name
        self._settings = settings
        self._poster = Poster(timeout=settings.timeout, ca_file=settings.ca_file)

    def send(self, notice: Notice) -> str:
        """Post the document."""
        body = json.dumps(incident_finding(notice, self.name), separators=(",", ":")).encode()
        stamp = int(time.time())
        signed = signature(read_secret(self._settings), str(notice.key), stamp, body)
        headers = {
            "Idempotency-Key": str(notice.key),
            "webhook-id": str(notice.key),
            "webhook-timestamp": str(stamp),
            "webhook-signature": signed,
        }
        answer = self._poster.post(self._settings.url, body, headers)
        return f"{answer.status} {answer.text}".strip()

    def close(self) -> None:
        """Let go of the connection."""
        self._poster.close()


def signature(secret: str, key: str, stamp: int, body: bytes) -> str:
    """What a receiver compares with, in constant time.

    Raises:
        NotifyError: the secret says that it is base64, and is not.

    >>> signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
    ...           b'{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    try:
        coded = secret.startswith("whsec_")
        shared = b64decode(secret.removeprefix("whsec_"), validate=True) if coded else secret.encode()
    except NotBase64:
        raise NotifyError("the secret begins with whsec_ but is no base64 after it") from None
    return "v1," + b64encode(digest(shared, f"{key}.{stamp}.".encode() + body, "sha256")).decode()
