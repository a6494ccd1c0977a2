"""What the shell completes beyond commands and options: names of targets, asked of the NAS, and words that are known.

Completing must never ask anything, take long, or print an error into the line that is being typed.
"""

import os
from typing import Final

import typer

from lunaport.cli.connection import Given, find_connection
from lunaport.cli.errors import CliError

TIMEOUT_S: Final = 1.0
KINDS: Final = ("linux", "windows", "vmware", "qemu", "kubernetes", "ipxe", "macos", "all")
ROLES: Final = ("viewer", "operator", "admin")


def complete_target(context: typer.Context, incomplete: str) -> list[str]:
    """The targets whose name, full or behind its colon, begins like this; none where the NAS cannot be asked."""
    from lunaport.cli.client import Client

    given = context.find_root().params
    names = ("url", "user", "password_file", "ca", "profile")
    try:
        connection = find_connection(Given(**{name: str(given.get(name) or "") for name in names}), os.environ)
        if not (connection.password or connection.token):
            return []
        client = Client(connection, timeout_s=TIMEOUT_S)
        try:
            found = [each["name"] for each in client.call("GET", "/targets", parameters={"limit": "1000"})["items"]]
        finally:
            client.close()
    except (CliError, KeyError, TypeError):
        return []
    if incomplete.startswith(("iqn.", "eui.", "naa.")):
        return [name for name in found if name.startswith(incomplete)]
    return [short for name in found if (short := name.partition(":")[2] or name).startswith(incomplete.lower())]


def complete_kind(incomplete: str) -> list[str]:
    """The kinds of initiators."""
    return [word for word in KINDS if word.startswith(incomplete)]


def complete_role(incomplete: str) -> list[str]:
    """The roles."""
    return [word for word in ROLES if word.startswith(incomplete)]
