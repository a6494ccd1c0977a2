"""Which NAS a command talks to, and as whom: from options, the environment, or a profile, in this order.

A profile is a table of a TOML file: `url`, `user`, `password`, `token`, `ca`. A file that holds a secret and that
others may read is refused. A token stands for its user: where one is known, no password is needed. Nothing is connected
to here.
"""

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lunaport.cli.errors import CliError, Exit

URL_DEFAULT: Final = "http://127.0.0.1:8080"
USER_DEFAULT: Final = "admin"
PROFILE_DEFAULT: Final = "default"
PROFILE_KEYS: Final = ("url", "user", "password", "token", "ca")
PROFILE_BYTES_MAX: Final = 1 << 20
PASSWORD_VARIABLE: Final = "LUNAPORT_PASSWORD"  # noqa: S105 - a variable's name
TOKEN_VARIABLE: Final = "LUNAPORT_TOKEN"  # noqa: S105 - a variable's name
PROFILES_VARIABLE: Final = "LUNAPORT_PROFILES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the command line and the variables behind its options say; empty: nothing."""

    url: str = ""
    user: str = ""
    password_file: str = ""
    ca: str = ""
    profile: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where to and as whom. An empty password is one that is not known."""

    url: str
    user: str
    password: str = field(repr=False)
    token: str = field(repr=False)
    """Empty: name and password count."""
    ca: str
    """A file with the certificate to trust; empty: those that the system trusts."""


def find_connection(given: Given, environment: Mapping[str, str]) -> Connection:
    """Put everything together. Raises CliError."""
    profile = load_profile(given.profile, environment)
    if given.password_file:
        password = read_secret(given.password_file, "--password-file")
    else:
        password = environment.get(PASSWORD_VARIABLE, "") or profile.get("password", "")
    token = environment.get(TOKEN_VARIABLE, "")
    if not token and not password:
        token = profile.get("token", "")
    url = given.url or profile.get("url", "") or URL_DEFAULT
    if not url.startswith(("http://", "https://")):
        raise CliError(Exit.USAGE, f"--url: {url} is no address of a NAS; right would be {URL_DEFAULT}")
    return Connection(
        url=url.rstrip("/"),
        user=given.user or profile.get("user", "") or USER_DEFAULT,
        password=password,
        token="" if given.password_file else token,
        ca=given.ca or profile.get("ca", ""),
    )


def profiles_path(environment: Mapping[str, str]) -> Path:
    """Where profiles are kept."""
    if PROFILES_VARIABLE in environment:
        return Path(environment[PROFILES_VARIABLE])
    home = Path(environment.get("HOME", "/"))
    return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "lunaport" / "profiles.toml"


def load_profile(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """A profile; the one called `default` need not be there. Raises CliError."""
    path = profiles_path(environment)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            profiles: dict[str, Any] = tomllib.loads(file.read(PROFILE_BYTES_MAX).decode())
    except FileNotFoundError:
        profiles, mode = {}, 0
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CliError(Exit.USAGE, f"{path}: {error}") from error
    found = profiles.get(name or PROFILE_DEFAULT)
    if found is None:
        if name:
            known = ", ".join(profiles) or "none"
            raise CliError(Exit.USAGE, f"--profile: there is no {name} in {path}; there is: {known}")
        return {}
    wrong = [] if not isinstance(found, dict) else [key for key in found if key not in PROFILE_KEYS]
    if not isinstance(found, dict) or wrong or not all(isinstance(value, str) for value in found.values()):
        reason = f"{', '.join(wrong)} is unknown" if wrong else "is not a table of texts"
        where = f"{path}: profile {name or PROFILE_DEFAULT}"
        raise CliError(Exit.USAGE, f"{where}: {reason}; right would be {', '.join(PROFILE_KEYS)}")
    if found.keys() & {"password", "token"} and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CliError(Exit.USAGE, f"{path} holds a secret and others may read it; chmod 600 {path}")
    return dict(found)


def read_secret(path: str, option: str) -> str:
    """The first line of a file; `-` is standard input. Raises CliError."""
    try:
        if path == "-":
            path = "/dev/stdin"
        with Path(path).open(encoding="utf-8") as file:
            secret = file.readline(4096).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(Exit.USAGE, f"{option}: {error}") from error
    if not secret:
        raise CliError(Exit.USAGE, f"{option}: the first line of {path} is empty")
    return secret
