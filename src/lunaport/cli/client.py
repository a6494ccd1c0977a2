"""Calls of API v1 for the commands: answers as JSON, everything else as a CliError that says what to do."""

import ssl
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final
from urllib.parse import quote

import httpx

from lunaport.cli.connection import PASSWORD_VARIABLE, Connection
from lunaport.cli.errors import CliError, Exit

Json = dict[str, Any]

TIMEOUT_S: Final = 60.0
CONFIG_TIMEOUT_S: Final = 900.0
"""Of what changes everything at once: thousands of files may have to be made."""
PAGE_COUNT: Final = 500
PIECE_BYTES: Final = 1 << 18
_CODES: Final = {
    400: Exit.USAGE,
    401: Exit.REFUSED,
    403: Exit.REFUSED,
    404: Exit.NOT_FOUND,
    409: Exit.CONFLICT,
    412: Exit.CONFLICT,
    422: Exit.USAGE,
}


class Client:
    """A NAS, as a context. `transport` stands in for the network in tests."""

    def __init__(
        self, connection: Connection, transport: httpx.BaseTransport | None = None, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.connection = connection
        self._timeout_s = timeout_s
        try:
            verify = trust(connection)
        except (OSError, ssl.SSLError) as error:
            raise CliError(Exit.USAGE, f"--ca: {connection.ca}: {error}") from error
        try:
            self._http = httpx.Client(
                base_url=connection.url,
                auth=None if connection.token else (connection.user, connection.password),
                headers={"Authorization": f"Bearer {connection.token}"} if connection.token else {},
                timeout=timeout_s,
                verify=verify,
                trust_env=False,
                transport=transport,
            )
        except httpx.InvalidURL as error:
            raise CliError(Exit.USAGE, f"--url: {connection.url}: {error}") from error

    def close(self) -> None:
        """Close what is open."""
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        options: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
        revision: int | None = None,
    ) -> Any:
        """The JSON of an answer; None where there is none.

        `options`: what the fields of the body are called on the command line. `revision`: only if nothing has changed
        since. Raises CliError.
        """
        headers = {"If-Match": f'"r{revision}"'} if revision is not None else {}
        response = self._request(method, path, body, options or {}, parameters or {}, headers)
        return self._json(response) if response.content else None

    def text(
        self, path: str, *, options: Mapping[str, str] | None = None, parameters: Mapping[str, str] | None = None
    ) -> str:
        """The text of an answer that is no JSON document. Raises CliError."""
        return self._request("GET", path, None, options or {}, parameters or {}, {}).text

    def _request(
        self,
        method: str,
        path: str,
        body: Json | None,
        options: Mapping[str, str],
        parameters: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> httpx.Response:
        try:
            response = self._http.request(
                method,
                f"/api/v1{path}",
                json=body,
                params=dict(parameters),
                headers=dict(headers),
                timeout=CONFIG_TIMEOUT_S if path.startswith("/config") else self._timeout_s,
            )
        except httpx.ConnectError as error:
            raise CliError(Exit.UNREACHABLE, *self._unreachable(error)) from error
        except (httpx.TransportError, httpx.InvalidURL, UnicodeError) as error:
            reason = str(error) or type(error).__name__
            lines = [f"{self.connection.url} does not answer: {reason}"]
            if isinstance(error, httpx.RemoteProtocolError) and self.connection.url.startswith("http:"):
                lines.append(f"if it speaks HTTPS there, --url is https:{self.connection.url.removeprefix('http:')}")
            raise CliError(Exit.UNREACHABLE, *lines) from error
        if response.is_success:
            return response
        raise self._error(response, options)

    def send(self, path: str, file: BinaryIO, size_bytes: int, *, options: Mapping[str, str] | None = None) -> Any:
        """Send a file by PUT; the JSON of the answer. Raises CliError."""
        headers = {"Content-Length": str(size_bytes), "Content-Type": "application/octet-stream"}
        pieces = iter(lambda: file.read(PIECE_BYTES), b"")
        try:
            response = self._http.put(f"/api/v1{path}", content=pieces, headers=headers)
        except httpx.ConnectError as error:
            raise CliError(Exit.UNREACHABLE, *self._unreachable(error)) from error
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise CliError(Exit.UNREACHABLE, f"{self.connection.url} stopped listening: {reason}") from error
        if response.is_success:
            return self._json(response)
        raise self._error(response, options or {})

    def pages(self, path: str, parameters: Mapping[str, str] | None = None) -> Iterator[Json]:
        """Every item of a list that comes in pages."""
        wanted = {**(parameters or {}), "limit": str(PAGE_COUNT)}
        while True:
            page = self.call("GET", path, parameters=wanted)
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            wanted["cursor"] = page["next_cursor"]

    def _unreachable(self, error: httpx.ConnectError) -> list[str]:
        url, text = self.connection.url, str(error)
        if "mismatch" in text:
            return [
                f"the certificate of {url} is for other names: {text.partition('mismatch, ')[2].partition(' (')[0]}",
                "use a name or address that it is for in --url; the NAS puts those of its machine into its own",
            ]
        if "certificate has expired" in text:
            return [f"the certificate of {url} has expired", "give the NAS another one; lunaport doctor looks at it"]
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return [
                f"the certificate of {url} is not trusted",
                (
                    "if the NAS made it itself: copy its file (https/certificate.pem of its data directory; it prints"
                    " where it lies when it starts) and give it with --ca, LUNAPORT_CA or a profile"
                ),
            ]
        if url.startswith("https:") and "SSL" in text:
            return [f"{url} does not speak HTTPS: {text}", f"perhaps --url is http:{url.removeprefix('https:')}"]
        return [f"{url} does not answer: {error}", "is the NAS running there? --url says where it is"]

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            raise CliError(Exit.FAILED, f"{self.connection.url} answers what is no JSON; is it a Lunaport?") from error

    def _error(self, response: httpx.Response, options: Mapping[str, str]) -> CliError:
        code = _CODES.get(response.status_code, Exit.FAILED)
        if response.status_code == 401:
            if self.connection.token:
                return CliError(code, f"{self.connection.url}: the token is wrong or has expired")
            known = f"as {self.connection.user}, with --password-file, {PASSWORD_VARIABLE} or a profile"
            what = "user name or password are wrong" if self.connection.password else "a password is needed"
            return CliError(code, f"{self.connection.url}: {what}; log in {known}")
        lines = []
        try:
            for each in response.json()["errors"]:
                field, message = each["field"], each["message"]
                where = options.get(field, field)
                lines.append(f"{where}: {message}" if where else message)
        except (ValueError, KeyError, TypeError):
            lines = [f"{self.connection.url} answers {response.status_code}; is it a Lunaport?"]
            if response.is_redirect:
                lines = [f"{self.connection.url} leads to {response.headers.get('location', '?')}; use that as --url"]
        return CliError(code, *lines)


def trust(connection: Connection) -> ssl.SSLContext:
    """The certificates that count. Plain HTTP has none, and reading those of the system takes a tenth of a second."""
    if connection.ca or connection.url.startswith("https:"):
        return ssl.create_default_context(cafile=connection.ca or None)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def segment(text: str) -> str:
    """A text as one step of a path."""
    return quote(text, safe=":")
