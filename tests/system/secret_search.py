"""Every secret that a system test gives to a NAS, and the search for them in all that comes out of it.

What is searched as it comes: answers of HTTP, whoever asks; what the command line prints; what the page is sent. At the
end of the run, in every log and every file that a NAS has left, for the secrets of all tests of this worker.
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

SECRET_FIELDS = {"secret", "password", "present", "passphrase"}
SECRET_OPTIONS = ("secret", "password", "passphrase", "token")
SECRET_CHARS_MIN = 10
"""What is shorter is no secret that the NAS would take, and may be in an answer by chance."""
EXAMPLES = frozenset({"alice-secret-1", "nas-secret-123"})
"""Secrets of the README: the description of the API shows them too, whether they are in use or not."""
DISKS = ("luns", "trash", "images")
"""Folders of what initiators wrote: it is theirs, whatever it says."""

known: set[str] = set()
"""Of all tests of this worker."""
places: list[Path] = []
"""Data directories of every NAS of this worker; each has its log beside it."""


def secrets_in(document: object) -> Iterator[str]:
    """Every secret in the body of a request."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name in SECRET_FIELDS and isinstance(value, str):
                if len(value) >= SECRET_CHARS_MIN:
                    yield value
            else:
                yield from secrets_in(value)
    elif isinstance(document, list):
        for value in document:
            yield from secrets_in(value)


def typed(words: tuple[str, ...], stdin: str, variables: dict[str, str]) -> Iterator[str]:
    """The secrets in a command: values of its options, of variables, and what it is given to read."""
    for option, value in pairwise(words):
        if option.startswith("--") and option.endswith(SECRET_OPTIONS):
            yield value
    yield from (value for name, value in variables.items() if name.lower().endswith(SECRET_OPTIONS))
    for line in stdin.splitlines():
        try:
            yield from secrets_in(json.loads(line))
        except ValueError:
            yield line.strip()


def remember(secrets: Iterator[str] | set[str]) -> set[str]:
    """Note them, for the end too; returns those that are long enough to be told from chance."""
    new = {each for each in secrets if len(each) >= SECRET_CHARS_MIN}
    known.update(new)
    return new


def search(text: str, secrets: set[str] | frozenset[str], where: str) -> None:
    """Fail when a secret is in a text; it is not named."""
    for secret in secrets:
        assert secret not in text, f"a secret is in {where}"


def search_folder(folder: Path, secrets: set[str]) -> None:
    """Every file of a data directory but the disks."""
    for path in folder.rglob("*"):
        if path.parent.name in DISKS or not path.is_file():
            continue
        held = path.read_bytes()
        for secret in secrets:
            assert secret.encode() not in held, f"a secret is in {path.name}"


def search_everything() -> None:
    """All that is left, for all secrets of this worker."""
    for folder in places:
        log = folder.with_suffix(".log")
        if log.exists():
            search(log.read_text(errors="replace"), known, f"the log {log}")
        if folder.exists():
            search_folder(folder, known)
