"""What schemathesis is told of this API (`tests.system.test_schema` runs it): secrets, and what it must leave alone.

It runs in a process of its own. Variables of the environment: KNOWN_SECRETS, the secrets that are known, separated
by line ends; VOLUME_FOLDER, below which volumes may be made.
"""

import os
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import schemathesis
from schemathesis.hooks import HookContext

KNOWN = [secret for secret in os.environ.get("KNOWN_SECRETS", "").split("\n") if secret]
FOLDER = os.environ.get("VOLUME_FOLDER", "/nonexistent")
SECRET_FIELDS = {"secret", "password", "present", "passphrase"}
TELLING_CHARS_MIN = 10
"""A shorter secret, or one of few different characters, is in an answer by chance."""


def secrets_in(body: Any) -> Iterator[str]:
    """The secrets that a request holds."""
    if isinstance(body, dict):
        for name, value in body.items():
            if name in SECRET_FIELDS and isinstance(value, str):
                if len(value) >= TELLING_CHARS_MIN and len(set(value)) > TELLING_CHARS_MIN // 2:
                    yield value
            else:
                yield from secrets_in(value)
    elif isinstance(body, list):
        for value in body:
            yield from secrets_in(value)


@schemathesis.check
def no_secret_in_an_answer(context: Any, response: Any, case: Any) -> None:
    """No answer holds a secret: none that is known, and none of its own request."""
    text = response.text
    for secret in [*KNOWN, *secrets_in(case.body)]:
        assert secret not in text, "the answer holds a secret"


@schemathesis.hook
def before_call(context: HookContext, case: Any, kwargs: dict[str, Any]) -> None:
    """Folders are made where they do no harm, and the one who asks stays who he is."""
    if isinstance(case.body, dict) and case.operation.path == "/api/v1/volumes":
        path = case.body.get("path")
        if isinstance(path, str) and path.startswith("/"):
            case.body["path"] = f"{FOLDER}/{PurePosixPath(path).name}"
