"""The headers of every answer of the page, and the cookie."""

import re
from typing import Final

from starlette.datastructures import Headers

COOKIE: Final = "lunaport"
COOKIE_SECURE: Final = "__Host-lunaport"
"""With HTTPS: browsers take this name only from HTTPS, for this host alone."""
THEME_COOKIE: Final = "lunaport-theme"
_SCRIPT: Final = re.compile(rb"<script(?=[\s>])")


def policy(nonce: str) -> str:
    """The Content-Security-Policy. Scripts are ours, or carry the nonce; Vue compiles its templates, which is eval."""
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    )


def security_headers(nonce: str, *, secure: bool) -> list[tuple[bytes, bytes]]:
    """What every answer has."""
    found = [
        (b"content-security-policy", policy(nonce).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    ]
    if secure:
        found.append((b"strict-transport-security", b"max-age=31536000"))
    return found


def with_nonce(page: bytes, nonce: str) -> bytes:
    """The page with the nonce in each of its scripts. What users wrote stands there escaped: it holds no `<`."""
    return _SCRIPT.sub(b'<script nonce="' + nonce.encode() + b'"', page)


def cookie_name(*, secure: bool) -> str:
    """What the cookie of this way in is called."""
    return COOKIE_SECURE if secure else COOKIE


def cookies_of(headers: Headers) -> dict[str, str]:
    """The cookies of a request."""
    found: dict[str, str] = {}
    for part in headers.get("cookie", "")[:8192].split(";"):
        name, equals, value = part.strip().partition("=")
        if equals:
            found.setdefault(name, value.strip('"'))
    return found


def session_cookie(ticket: str, *, secure: bool, life_s: float) -> str:
    """The Set-Cookie that keeps a ticket; an empty one takes it away."""
    life = int(life_s) if ticket else 0
    name = cookie_name(secure=secure)
    return f"{name}={ticket}; Path=/; Max-Age={life}; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")
