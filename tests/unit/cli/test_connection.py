"""Which NAS a command talks to: options before the environment before a profile; nothing secret is shown."""

from pathlib import Path

import pytest

from lunaport.cli.connection import Given, find_connection, profiles_path, read_secret
from lunaport.cli.errors import CliError, Exit


def profiles(tmp_path: Path, text: str, mode: int = 0o600) -> dict[str, str]:
    """An environment with this file of profiles."""
    path = tmp_path / "profiles.toml"
    path.write_text(text)
    path.chmod(mode)
    return {"LUNAPORT_PROFILES": str(path)}


def test_nothing_said(tmp_path: Path) -> None:
    found = find_connection(Given(), {"HOME": str(tmp_path)})
    assert (found.url, found.user, found.password, found.ca) == ("http://127.0.0.1:8080", "admin", "", "")


def test_what_comes_first_counts(tmp_path: Path) -> None:
    environment = profiles(tmp_path, '[default]\nurl = "http://p"\nuser = "p"\npassword = "p-secret"\nca = "/p"\n')
    found = find_connection(Given(), environment)
    assert (found.url, found.user, found.password, found.ca) == ("http://p", "p", "p-secret", "/p")
    found = find_connection(Given(), environment | {"LUNAPORT_PASSWORD": "e-secret"})
    assert found.password == "e-secret"
    secret = tmp_path / "secret"
    secret.write_text("o-secret\nsecond line\n")
    given = Given(url="https://o/", user="o", password_file=str(secret), ca="/o")
    found = find_connection(given, environment | {"LUNAPORT_PASSWORD": "e-secret"})
    assert (found.url, found.user, found.password, found.ca) == ("https://o", "o", "o-secret", "/o")
    assert "o-secret" not in repr(found)


def test_a_token_counts_unless_something_nearer_says_who(tmp_path: Path) -> None:
    environment = profiles(tmp_path, '[default]\ntoken = "p-token"\n')
    assert find_connection(Given(), environment).token == "p-token"
    assert find_connection(Given(), environment | {"LUNAPORT_TOKEN": "e-token"}).token == "e-token"
    assert find_connection(Given(), environment | {"LUNAPORT_PASSWORD": "e-secret"}).token == ""
    secret = tmp_path / "secret"
    secret.write_text("o-secret")
    given = Given(password_file=str(secret))
    assert find_connection(given, environment | {"LUNAPORT_TOKEN": "e-token"}).token == ""


def test_a_profile_by_name(tmp_path: Path) -> None:
    environment = profiles(tmp_path, '[lab]\nurl = "http://lab"\n', 0o644)
    assert find_connection(Given(profile="lab"), environment).url == "http://lab"
    assert find_connection(Given(), environment).url == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        ("[lab", 0o600, "profiles.toml"),
        ("lab = 5", 0o600, "is not a table of texts"),
        ("[lab]\nurl = 5", 0o600, "is not a table of texts"),
        ('[lab]\nname = "x"', 0o600, "name is unknown; right would be url, user, password, token, ca"),
        ('[lab]\npassword = "only-mine"', 0o640, "chmod 600"),
        ('[lab]\npassword = "only-mine"', 0o604, "chmod 600"),
        ('[lab]\ntoken = "only-mine"', 0o640, "chmod 600"),
        ("[other]", 0o600, "there is no lab"),
    ],
)
def test_a_profile_that_cannot_be_used(tmp_path: Path, text: str, mode: int, told: str) -> None:
    with pytest.raises(CliError) as caught:
        find_connection(Given(profile="lab"), profiles(tmp_path, text, mode))
    assert caught.value.code is Exit.USAGE
    assert told in str(caught.value)
    assert "only-mine" not in str(caught.value)


def test_where_profiles_are() -> None:
    assert profiles_path({"HOME": "/home/a"}) == Path("/home/a/.config/lunaport/profiles.toml")
    assert profiles_path({"HOME": "/home/a", "XDG_CONFIG_HOME": "/c"}) == Path("/c/lunaport/profiles.toml")


def test_an_empty_secret_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("\nsecret\n")
    with pytest.raises(CliError, match="is empty"):
        read_secret(str(path), "--password-file")


def test_an_address_that_is_none() -> None:
    with pytest.raises(CliError, match="--url: nas is no address"):
        find_connection(Given(url="nas"), {"HOME": "/nonexistent"})
