"""Where it is listened: can it be, or, while the NAS runs, is it."""

import json
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Final

from lunaport.model.address import HostPort, parse_host_port
from lunaport.runtime.doctor.configuration import Configuration
from lunaport.runtime.doctor.findings import Finding, error, ok, warning
from lunaport.runtime.holdings import SupervisorError, listen_http
from lunaport.runtime.settings import HTTPS_PORT, Settings

TIMEOUT_S: Final = 3.0
ANSWER_BYTES_MAX: Final = 1 << 16


def check_ports(settings: Settings, configuration: Configuration, *, running: bool) -> Iterator[Finding]:
    """Every address of HTTP, HTTPS and iSCSI."""
    for address in settings.http_addresses:
        yield _check("HTTP", address, running=running)
    for text in settings.https:
        yield _check("HTTPS", parse_host_port(text, HTTPS_PORT), running=running)
    if not configuration.enabled:
        yield warning("iSCSI", "the service is switched off", "lunaport service edit --enabled")
        return
    for portal in settings.portals:
        yield _check("iSCSI", HostPort(host=portal.host, port=configuration.port or portal.port), running=running)


def _check(what: str, address: HostPort, *, running: bool) -> Finding:
    if running:
        try:
            socket.create_connection((_reachable(address.host), address.port), timeout=TIMEOUT_S).close()
        except OSError as failure:
            reason = failure.strerror or str(failure)
            return error(what, f"{address}: the NAS runs, and nobody listens: {reason}", "its log says why")
        return ok(what, f"{address}: listens")
    try:
        listen_http(str(address), address.port).close()
    except SupervisorError as failure:
        reason = str(failure).partition(": ")[2]
        return error(what, f"{address}: cannot be listened on: {reason}", _advice(reason, address))
    return ok(what, f"{address}: free")


def _advice(reason: str, address: HostPort) -> str:
    if "in use" in reason:
        return f"`ss -ltnp sport = :{address.port}` tells which program; end it, or choose another port"
    if "ermission" in reason:
        return "ports below 1024 need CAP_NET_BIND_SERVICE (docs/install.md)"
    if "assign" in reason:
        return "this machine has no such address: `ip address` shows those it has"
    return "choose another address"


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


def check_running(settings: Settings) -> Iterator[Finding]:
    """What the NAS says of itself."""
    ways = [("http", address) for address in settings.http_addresses]
    ways += [("https", parse_host_port(text, HTTPS_PORT)) for text in settings.https]
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE  # nothing secret is sent, and the answer is only shown
    scheme, address = ways[-1]
    url = f"{scheme}://{HostPort(host=_reachable(address.host), port=address.port)}/api/v1/health"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting))
    try:
        with opener.open(url, timeout=TIMEOUT_S) as answer:
            health = json.loads(answer.read(ANSWER_BYTES_MAX))
    except urllib.error.HTTPError as failure:
        yield error("health", f"the NAS answers {failure.code}", "wait a moment; then its log says why")
        return
    except (OSError, ValueError) as failure:
        yield error("health", f"the NAS does not answer at {url}: {failure}", "its log says why")
        return
    if health.get("problems"):
        yield error(
            "health",
            f"the NAS says that {health['problems']} things do not work",
            f"GET {url.removesuffix('health')}problems names them",
        )
    else:
        yield ok("health", "the NAS says that all is well")
