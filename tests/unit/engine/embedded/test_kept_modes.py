"""Saved mode pages as they lie with the file."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.engine.embedded.kept_modes import load_modes, parse_modes, serialize_modes
from lunaport.scsi.mode_pages import METHODS, Modes
from lunaport.storage.file import FileDevice, open_file


def opened(path: Path) -> FileDevice:
    return open_file(str(path), lambda: 0.0)


@given(
    st.builds(
        Modes,
        write_cache=st.booleans(),
        descriptor_sense=st.booleans(),
        write_protect=st.booleans(),
        exceptions=st.booleans(),
        exceptions_method=st.sampled_from(METHODS),
    )
)
def test_what_is_saved_comes_back(modes: Modes) -> None:
    assert parse_modes(serialize_modes(modes)) == modes


@given(st.binary(max_size=100) | st.sampled_from([b"[]", b"{}", b'{"write_cache": 1}', b'{"write_cache": true}']))
def test_anything_else_counts_as_nothing(kept: bytes) -> None:
    assert parse_modes(kept) is None


def test_what_an_earlier_version_saved_is_understood() -> None:
    kept = b'{"write_cache": false, "descriptor_sense": true, "write_protect": false}'
    assert parse_modes(kept) == Modes(write_cache=False, descriptor_sense=True)
    assert parse_modes(kept[:-1] + b', "exceptions_method": 9}') is None
    assert parse_modes(kept[:-1] + b', "exceptions_method": true}') is None


def test_saved_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.touch()
    os.truncate(path, 4096)
    device = opened(path)
    modes, save = load_modes(device)
    assert modes is None
    if save is None:
        pytest.skip("this file system keeps no attributes")
    save(Modes(write_cache=False))
    device.close()
    assert load_modes(opened(path))[0] == Modes(write_cache=False)
