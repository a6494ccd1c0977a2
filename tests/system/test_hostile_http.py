"""Bad requests to a NAS that runs: a clear error for each, and nothing lost or changed by it."""

import contextlib
import json
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import PASSWORD, SERVICE, SHARES, Json, Nas, resident_bytes

ALICE = {"enabled": True, "username": "alice", "password": "alice-secret-1"}
THE_NAS = {"enabled": True, "username": "nas", "password": "nas-secret-123"}
SAME = THE_NAS | {"password": "alice-secret-1"}
NEW = {"target": "never-made", "size": "1M"}

BAD_BODIES: dict[str, tuple[str, object, str]] = {
    "array of two": ("POST", [NEW, NEW], ""),
    "a string": ("POST", "vm-disk", ""),
    "wrong type": ("POST", NEW | {"header-digest": "yes"}, "header-digest"),
    "unknown field": ("POST", NEW | {"header_digest": True}, "header_digest"),
    "target missing": ("POST", {"size": "1M"}, "target"),
    "size missing": ("POST", {"target": "never-made"}, "size"),
    "id in POST": ("POST", NEW | {"id": 7}, "id"),
    "not an IQN": ("POST", NEW | {"target": "iqn.never:disk"}, "target"),
    "size 0": ("POST", NEW | {"size": "0"}, "size"),
    "size negative": ("POST", NEW | {"size": "-1G"}, "size"),
    "size no number": ("POST", NEW | {"size": "much"}, "size"),
    "size too large": ("POST", NEW | {"size": "9000000000G"}, "size"),
    "size beyond the volume": ("POST", NEW | {"size": "1000000T"}, "size"),
    "unknown volume": ("POST", NEW | {"volume": "nowhere"}, "volume"),
    "secret of 11": ("POST", NEW | {"one-way-chap": ALICE | {"password": "x" * 11}}, "password"),
    "secret of 17": ("POST", NEW | {"one-way-chap": ALICE | {"password": "x" * 17}}, "password"),
    "mutual alone": ("POST", NEW | {"mutual-chap": THE_NAS}, "mutual-chap"),
    "equal secrets": ("POST", NEW | {"one-way-chap": ALICE, "mutual-chap": SAME}, "mutual-chap"),
    "unknown id in PUT": ("PUT", {"id": 999999, "size": "2M"}, "id"),
    "unknown id in DELETE": ("DELETE", {"id": 999999}, "id"),
    "no id in PUT": ("PUT", {"size": "2M"}, "id"),
    "no id in DELETE": ("DELETE", {}, "id"),
}  # fmt: skip


def error_of(response: httpx.Response) -> Json:
    """The one error of an answer, in the seed's shape."""
    body = response.json()
    assert set(body) == {"errors"}
    errors: list[Json] = body["errors"]
    for error in errors:
        assert set(error) == {"message", "code"}
        assert isinstance(error["code"], int)
        assert error["message"]
    return errors[0]


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_body_is_told_what_is_wrong_with_it(nas: Nas, name: str) -> None:
    method, body, field = BAD_BODIES[name]
    before = nas.shares()
    response = nas.call(method, body)
    assert response.status_code in ((404,) if "unknown id" in name else (400, 409)), response.text
    message = error_of(response)["message"]
    assert field in message
    assert "secret-1" not in message
    assert nas.shares() == before


@pytest.mark.parametrize(
    "content", [b"", b"{", b"not json", b'{"target": "a", "size": NaN}', b"[" * 100_000, b"\xff\xfe"]
)
def test_what_is_not_json_is_refused(nas: Nas, content: bytes) -> None:
    response = nas.client.post(SHARES, content=content)
    assert response.status_code == 400
    error_of(response)


def test_a_name_that_exists_is_a_conflict(nas: Nas) -> None:
    share = nas.create("only-once")
    for name in ("only-once", "ONLY-ONCE", share.iqn):
        response = nas.call("POST", {"target": name, "size": "1M"})
        assert response.status_code == 409
        assert share.iqn in error_of(response)["message"]


def test_without_the_password_there_is_nothing_and_guessing_takes_time(start_nas: StartNas) -> None:
    nas = start_nas()
    nas.create("hidden")

    def ask(auth: tuple[str, str] | None, path: str) -> httpx.Response:
        response = httpx.get(f"http://127.0.0.1:{nas.http_port}{path}", auth=auth, trust_env=False)
        assert "iqn" not in response.text
        return response

    wrong = [("admin", "wrong"), ("root", PASSWORD), ("admin", "")]
    for path in (SHARES, SERVICE, "/api/v1/targets"):
        for auth in (None, *wrong):
            response = ask(auth, path)
            assert response.status_code == 401
            assert "WWW-Authenticate" in response.headers
    assert ask(("admin", "guess"), "/api/v1/targets").status_code == 401
    eleventh = ask(("admin", "guess"), "/api/v1/targets")
    assert (eleventh.status_code, eleventh.headers["Retry-After"]) == (429, "1")
    assert nas.answer("GET")[0]["target"].endswith(":hidden"), "who is known does not wait"


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", SHARES), ("OPTIONS", SHARES), ("POST", SERVICE), ("DELETE", SERVICE)]
)
def test_a_wrong_verb_is_refused(nas: Nas, method: str, path: str) -> None:
    response = nas.client.request(method, path)
    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]
    error_of(response)


def test_a_body_of_ten_megabytes_is_refused_before_it_is_read(nas: Nas) -> None:
    body = json.dumps({"target": "x" * 10_000_000, "size": "1M"}).encode()
    with httpx.Client(base_url=nas.client.base_url, auth=nas.client.auth, trust_env=False, timeout=30) as client:
        response = client.post(SHARES, content=body)
    assert response.status_code == 413
    error_of(response)
    assert nas.healthy()


def test_a_body_without_an_end_is_refused_and_not_kept(nas: Nas) -> None:
    """Chunk after chunk, and no length told beforehand."""
    control = nas.pid("control")
    before = resident_bytes(control)
    with socket.create_connection(("127.0.0.1", nas.http_port), timeout=20) as connection:
        request = httpx.Request("POST", "http://nas/", headers={"Host": "nas"})
        next(httpx.BasicAuth("admin", PASSWORD).auth_flow(request))
        head = f"POST {SHARES} HTTP/1.1\r\nHost: nas\r\nAuthorization: {request.headers['Authorization']}\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        with contextlib.suppress(ConnectionError):
            for _ in range(2000):
                connection.sendall(chunk)
        assert connection.recv(12) == b"HTTP/1.1 413"
    assert resident_bytes(control) - before < 16 << 20
    assert nas.healthy()


@pytest.mark.parametrize("authorized", [True, False])
def test_a_body_without_an_end_ends_its_connection(nas: Nas, authorized: bool) -> None:
    """Whoever goes on sending after the answer is not listened to."""
    request = httpx.Request("POST", "http://nas/", headers={"Host": "nas"})
    next(httpx.BasicAuth("admin", PASSWORD if authorized else "wrong").auth_flow(request))
    head = f"POST {SHARES} HTTP/1.1\r\nHost: nas\r\nAuthorization: {request.headers['Authorization']}\r\n"
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", nas.http_port), timeout=20) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        with pytest.raises(ConnectionError):
            while sent < 1 << 30:
                connection.sendall(chunk)
                sent += len(chunk)
    assert sent < 128 << 20


def test_two_hundred_at_once_and_one_wins(nas: Nas) -> None:
    def post(number: int) -> int:
        with httpx.Client(base_url=nas.client.base_url, auth=nas.client.auth, trust_env=False, timeout=60) as client:
            return client.post(
                SHARES, json={"target": "wanted-by-all", "size": str((number + 1) * 1_000_448)}
            ).status_code

    with ThreadPoolExecutor(50) as pool:
        codes = Counter(pool.map(post, range(200)))
    assert codes == {200: 1, 409: 199}
    (row,) = [row for row in nas.shares() if row["target"].endswith(":wanted-by-all")]
    share = nas.share(row)
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        assert initiator.capacity_bytes() == share.size_bytes


def test_the_documentation_needs_no_internet(nas: Nas) -> None:
    page = nas.client.get("/api/docs").text
    assert "http://" not in page.replace("http://127.0.0.1", "").replace("http://www.w3.org", "")
    assert "https://" not in page
    paths = nas.client.get("/api/v1/openapi.json").json()["paths"]
    assert SHARES in paths
    assert "/api/v1/targets" in paths
