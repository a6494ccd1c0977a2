"""What plain HTTP answers where only HTTPS is served: a browser is sent there, a client with a request is told so.

Requests that change something are not redirected: whoever sent a password in the clear should get to know it.
"""

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import Receive, Scope, Send

from lunaport.api.answers import answer, refuse
from lunaport.model.address import HostPort, parse_host_port
from lunaport.model.errors import Fault, InvalidError

_REDIRECTED = frozenset({"GET", "HEAD"})


class Redirect:
    """An ASGI application that knows where HTTPS is."""

    def __init__(self, https_port: int) -> None:
        self._https_port = https_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        where = self._address(scope)
        headers = Headers(scope=scope)
        if where is None or scope["method"] not in _REDIRECTED or "authorization" in headers:
            shown = where or f"https://<this host>:{self._https_port}/"
            problems = refuse(Fault.FORBIDDEN, f"plain HTTP is not served here; right would be {shown}").problems
            await answer(scope["path"], problems)(scope, receive, send)
            return
        await RedirectResponse(where, status_code=307)(scope, receive, send)

    def _address(self, scope: Scope) -> str | None:
        try:
            host = parse_host_port(Headers(scope=scope).get("host", ""), 80).host
        except InvalidError:
            return None
        query = b"?" + scope["query_string"] if scope.get("query_string") else b""
        path = scope.get("raw_path", b"/") + query
        return f"https://{HostPort(host=host, port=self._https_port)}{path.decode('ascii', 'replace')}"
