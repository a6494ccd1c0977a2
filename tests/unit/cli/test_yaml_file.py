"""YAML from strangers: what is read, what is refused, and that what is written is read back."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.cli import yaml_file
from lunaport.cli.errors import CliError, Exit
from lunaport.cli.yaml_file import DEPTH_MAX, format_document, parse_yaml, read_document


def refused(text: str) -> str:
    with pytest.raises(CliError) as caught:
        parse_yaml(text)
    assert caught.value.code is Exit.USAGE
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", {"a": 1}),
        ("a: -17", {"a": -17}),
        ("a: 1.5", {"a": 1.5}),
        ("a: true\nb: False\nc: null\nd: ~\ne:", {"a": True, "b": False, "c": None, "d": None, "e": None}),
        # What YAML 1.1 takes for something else.
        ("a: no\nb: on\nc: yes", {"a": "no", "b": "on", "c": "yes"}),
        ("a: 2030-01-31\nb: 2030-01-31T12:00:00Z", {"a": "2030-01-31", "b": "2030-01-31T12:00:00Z"}),
        ("a: 0123\nb: 1_000\nc: 0x1F\nd: 12:30:00", {"a": "0123", "b": "1_000", "c": "0x1F", "d": "12:30:00"}),
        ("a: .inf\nb: =", {"a": ".inf", "b": "="}),
        ("a: '1'", {"a": "1"}),
        ("a: &x [1, 2]\nb: *x", {"a": [1, 2], "b": [1, 2]}),
        ("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("a: ü€", {"a": "ü€"}),
        ("", None),
        ("# nothing", None),
    ],
)
def test_what_is_read(text: str, value: object) -> None:
    assert parse_yaml(text) == value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "is not YAML in line"),
        ("a: 1\na: 2", "'a' appears twice, in line 2"),
        ("[1]: 2", "a key is no text"),
        ("1: 2", "a key is no text"),
        ("true: 2", "a key is no text"),
        ("? {a: 1}\n: 2", "a key is no text"),
        ("a: !!python/object/apply:os.system [ls]", "the tag"),
        ("a: !!binary aGVsbG8=", "the tag"),
        ("a: !!timestamp 2030-01-01", "the tag"),
        ("a: !!set {b}", "the tag"),
        ("a: !thing 1", "the tag"),
        ("a: !!int x", "is not YAML"),
        ("a: *x", "is not YAML in line 1"),
        ("a: &x [*x]", "an alias holds itself"),
        ("a: &x {b: *x}", "an alias holds itself"),
        ("a: 1\n---\nb: 2", "is not YAML in line 2"),
        ("a: \x07", "is not YAML"),
        ("%YAML 9.9\n---\na: 1", "is not YAML"),
        ("a: <<: 1", "is not YAML"),
        ("<<: 1", "is not YAML"),
    ],
)
def test_what_is_refused(text: str, told: str) -> None:
    assert told in refused(text)


def test_nesting_has_a_bound() -> None:
    assert parse_yaml("[" * (DEPTH_MAX - 1) + "]" * (DEPTH_MAX - 1)) is not None
    assert parse_yaml("[" * DEPTH_MAX + "]" * DEPTH_MAX) is not None
    for opening, closing in (("[", "]"), ("{a: ", "}"), ("- ", "")):
        for depth in (DEPTH_MAX + 1, 2000):
            assert f"nested deeper than {DEPTH_MAX}" in refused(opening * depth + "1" + closing * depth)


def test_aliases_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 12)
    )
    assert "with its aliases followed" in refused(laughs)
    merges = "a0: &a0 {x: [1, 2, 3]}\n" + "".join(
        f"a{level}: &a{level} {{p: *a{level - 1}, q: *a{level - 1}}}\n" for level in range(1, 25)
    )
    assert "with its aliases followed" in refused(merges)
    # The mapping, its key, the list and its two texts.
    monkeypatch.setattr(yaml_file, "NODES_MAX", 5)
    assert parse_yaml("a: [x, x]") is not None
    assert "more than 5 values" in refused("a: [x, x, x]")


def written(folder: Path, text: str | bytes) -> str:
    path = folder / "nas.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_secrets_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("from-a-file-1\n")
    text = """
version: 1
targets:
- name: a
  chap:
    one_way: {secret: {env: CHAP_A}}
    mutual: {secret: {file: secret.txt}}
    credentials:
    - {username: b, secret: as-it-stands}
users:
- {name: carol, password: {file: %s}}
""" % (tmp_path / "secret.txt")
    document = read_document(written(tmp_path, text), {"CHAP_A": "from-the-env-1"})
    chap = document["targets"][0]["chap"]
    assert [chap["one_way"]["secret"], chap["mutual"]["secret"]] == ["from-the-env-1", "from-a-file-1"]
    assert chap["credentials"][0]["secret"] == "as-it-stands"
    assert document["users"][0]["password"] == "from-a-file-1"


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("{env: NOT_SET}", "the variable NOT_SET is not set"),
        ("{file: nowhere}", "No such file"),
        ("{env: A, file: b}", "is no secret; right would be"),
        ("{command: ls}", "is no secret; right would be"),
        ("{env: 1}", "is no secret; right would be"),
        ("{}", "is no secret; right would be"),
    ],
)
def test_secrets_that_are_not_there(tmp_path: Path, reference: str, told: str) -> None:
    text = f"version: 1\ntargets:\n- chap: {{one_way: {{secret: {reference}}}}}\n"
    with pytest.raises(CliError) as caught:
        read_document(written(tmp_path, text), {})
    assert str(caught.value).startswith("targets[0].chap.one_way.secret: ")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("lun", "size_bytes"),
    [("size: 10G", 10 << 30), ("size: 10GB", 10**10), ("size: 1048576", 1 << 20), ("size_bytes: 512", 512)],
)
def test_sizes(tmp_path: Path, lun: str, size_bytes: int) -> None:
    document = read_document(written(tmp_path, f"targets:\n- luns:\n  - {{{lun}}}\n"), {})
    assert document["targets"][0]["luns"] == [{"size_bytes": size_bytes}]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("targets:\n- luns:\n  - {size: 10Q}\n", "targets[0].luns[0].size: "),
        ("targets:\n- luns:\n  - {size: true}\n", "targets[0].luns[0].size: is no size"),
        ("targets:\n- luns:\n  - {size: [1]}\n", "targets[0].luns[0].size: is no size"),
        ("targets:\n- luns:\n  - {size: 1, size_bytes: 1}\n", "targets[0].luns[0].size: is there beside"),
        ("[]", "holds no document"),
        ("", "holds no document"),
        (b"\xff\xfe\x00", "FILE: "),
        ('a: "\\ud800"', "a: holds half of a surrogate pair"),
        ("a: 1.0e+999", "a: is no number"),
    ],
)
def test_documents_that_are_wrong(tmp_path: Path, text: str | bytes, told: str) -> None:
    with pytest.raises(CliError) as caught:
        read_document(written(tmp_path, text), {})
    assert told in str(caught.value)


def test_shapes_that_only_the_nas_refuses(tmp_path: Path) -> None:
    for text in ("targets: 1", "targets: [1, null, [2]]", "targets:\n- luns: 7", "targets:\n- luns: [1]"):
        assert read_document(written(tmp_path, text), {}) == parse_yaml(text)


def test_a_file_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "a: 1\n")
    monkeypatch.setattr(yaml_file, "FILE_BYTES_MAX", 5)
    assert read_document(path, {}) == {"a": 1}
    monkeypatch.setattr(yaml_file, "FILE_BYTES_MAX", 4)
    with pytest.raises(CliError, match="is larger than 4 bytes"):
        read_document(path, {})
    with pytest.raises(CliError, match="FILE: "):
        read_document(str(tmp_path / "nowhere"), {})


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20) | st.sampled_from(
    ["no", "true", "~", "", "0123", "12:30", "2030-01-01", "1e3", ".5", "<<", "=", "!x", "&x", "*x", "- a", "a: b", "#"]
)
KEYS = TEXTS.filter(lambda key: key != "<<")
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS.filter(lambda key: key != "<<"), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read_back(value: Any) -> None:
    assert parse_yaml(format_document({"value": value})) == {"value": value}


@given(st.text(max_size=200) | st.text("[]{}&*!|>'\"%@`:-?,#\n ab", max_size=60))
def test_any_text_is_a_value_or_told(text: str) -> None:
    with contextlib.suppress(CliError):
        parse_yaml(text)


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [(10 << 30, "10GiB"), (1 << 40, "1TiB"), ((1 << 30) + (1 << 20), "1025MiB"), (512, "512"), (1 << 20, "1MiB")],
)
def test_sizes_that_can_be_read(tmp_path: Path, size_bytes: int, shown: str) -> None:
    document = {"version": 1, "targets": [{"name": "a", "luns": [{"lun": 0, "size_bytes": size_bytes}]}]}
    text = format_document(document)
    assert f"size: {shown}\n" in text
    assert read_document(written(tmp_path, text), {}) == document


def test_a_drive_has_no_size(tmp_path: Path) -> None:
    drive = {"lun": 1, "device_type": "cdrom", "medium": {"image": "debian.iso"}}
    document = {"version": 1, "targets": [{"name": "a", "luns": [{"lun": 0, "size_bytes": 512}, drive]}]}
    assert read_document(written(tmp_path, format_document(document)), {}) == document
