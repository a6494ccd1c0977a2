"""The kept fuzz inputs, and a short random run that is the same every time, through each harness."""

import random
from itertools import islice

import pytest

from tests.fuzz.harnesses import CORPUS, HARNESSES
from tests.fuzz.mutate import inputs

RUNS = {"framing": 600, "text": 4000, "login": 2000, "full_feature": 1500, "names": 3000, "scsi": 800, "isns": 4000}
FILES_MAX = 200
FILE_BYTES_MAX = 2048


def kept(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


@pytest.mark.parametrize("name", HARNESSES)
def test_kept_inputs(name: str) -> None:
    """They are what the search starts from; an input that failed once is among them under the name of its mistake."""
    assert kept(name)
    for data in kept(name):
        HARNESSES[name](data)


@pytest.mark.parametrize("name", HARNESSES)
def test_random_inputs(name: str) -> None:
    for data in islice(inputs(random.Random(2026), kept(name), FILE_BYTES_MAX), RUNS[name]):
        HARNESSES[name](data)


def test_the_corpus_is_small_and_has_a_harness_for_every_folder() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert len(files) <= FILES_MAX
    assert max(path.stat().st_size for path in files) <= FILE_BYTES_MAX
    assert {path.name for path in CORPUS.iterdir()} == set(HARNESSES)


@pytest.mark.parametrize("name", HARNESSES)
def test_a_harness_says_what_it_asserts(name: str) -> None:
    docstring = HARNESSES[name].__doc__
    assert docstring
    assert docstring.count(".") == 1


def test_empty_input_is_an_input() -> None:
    for harness in HARNESSES.values():
        harness(b"")
