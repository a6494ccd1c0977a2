"""What users name on the command line, found: a target by what they call it, a size in bytes."""

from typing import TYPE_CHECKING, Any

from lunaport.cli.errors import CliError, Exit

if TYPE_CHECKING:  # loaded when a command runs
    from lunaport.cli.client import Client


def find_target(client: "Client", text: str) -> Any:
    """The target that a user means. Raises CliError."""
    if text.isascii() and text.isdigit():
        return client.call("GET", f"/targets/{text}")
    for exact in client.pages("/targets", {"name": text.lower()}):
        return exact
    found = [each for each in client.pages("/targets") if each["name"].partition(":")[2] == text.lower()]
    if len(found) > 1:
        names = ", ".join(each["name"] for each in found[:10])
        raise CliError(Exit.CONFLICT, f"TARGET: {text} could be any of {names}; right would be one of these")
    if not found:
        raise CliError(Exit.NOT_FOUND, f"TARGET: there is no target {text}; lunaport target list shows those there are")
    return found[0]


def parse_size(text: str, option: str) -> int:
    """A size in bytes. Raises CliError."""
    from lunaport.model.errors import InvalidError
    from lunaport.model.size import parse_size as parse

    try:
        return parse(text)
    except InvalidError as error:
        raise CliError(Exit.USAGE, f"{option}: {error.problems[0].message}") from error
