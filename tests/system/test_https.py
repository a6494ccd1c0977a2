"""HTTPS: a certificate made at the first start, the administrator's own, and plain HTTP that only leads there."""

import datetime as dt
import os
import socket
import ssl
import subprocess
import sys
import warnings
from pathlib import Path

import httpx
import pytest

from lunaport.runtime.certificate import make_certificate
from tests.system.conftest import StartNas
from tests.system.nas import PASSWORD, SHARES, Nas, free_port

AUTH = ("admin", PASSWORD)


def get(port: int, trust: Path, *, scheme: str = "https") -> httpx.Response:
    """The shares, from a client that trusts this certificate only."""
    context = ssl.create_default_context(cafile=str(trust))
    return httpx.get(f"{scheme}://127.0.0.1:{port}{SHARES}", auth=AUTH, verify=context, trust_env=False)


def test_the_first_start_makes_a_certificate_that_stays(start_nas: StartNas) -> None:
    port = free_port()
    nas = start_nas(options=("--https", f"127.0.0.1:{port}"))
    made = nas.data_dir / "https" / "certificate.pem"
    assert get(port, made).json() == []
    printed = nas.log.read_text()
    assert f"Lunaport is ready: https://127.0.0.1:{port}" in printed
    (line,) = [line for line in printed.splitlines() if "SHA-256" in line]
    shown = subprocess.run(
        ["openssl", "x509", "-in", made, "-noout", "-fingerprint", "-sha256"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip().partition("=")[2] in line

    nas.stop()
    nas.start()
    assert get(port, made).status_code == 200
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://127.0.0.1:{port}{SHARES}", auth=AUTH, trust_env=False)
    with pytest.raises(ssl.SSLError), old_tls(port):
        pass


def old_tls(port: int) -> ssl.SSLSocket:
    """A connection by TLS 1.1, which is not safe any more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10))


def test_the_administrators_own_certificate(start_nas: StartNas, tmp_path: Path) -> None:
    own = make_certificate(tmp_path / "own", ["127.0.0.1"], dt.datetime.now(dt.UTC))
    port = free_port()
    nas = start_nas(
        options=(
            "--https",
            f"127.0.0.1:{port}",
            "--https-certificate",
            str(own.certificate),
            "--https-key",
            str(own.key),
        )
    )
    assert get(port, own.certificate).status_code == 200
    assert not (nas.data_dir / "https").exists()


def test_plain_http_beyond_this_machine_only_leads_to_https(start_nas: StartNas) -> None:
    plain, port = free_port(), free_port()
    nas = start_nas(options=("--http", f"0.0.0.0:{plain}", "--https", f"127.0.0.1:{port}"))
    with httpx.Client(base_url=f"http://127.0.0.1:{plain}", trust_env=False) as client:
        led = client.get("/api/docs?x=1")
        assert (led.status_code, led.headers["location"]) == (307, f"https://127.0.0.1:{port}/api/docs?x=1")
        for refused in (client.get(SHARES, auth=AUTH), client.post(SHARES, json={"target": "t"})):
            assert refused.status_code == 403
            (error,) = refused.json()["errors"]
            assert error["message"] == f"plain HTTP is not served here; right would be https://127.0.0.1:{port}{SHARES}"
        odd = client.get("/", headers={"host": "a b"})
        assert odd.status_code in (400, 403)
    # On loopback plain HTTP is served as ever.
    assert nas.answer("GET") == []


def test_plain_http_beyond_this_machine_is_refused_unless_asked_for(start_nas: StartNas, tmp_path: Path) -> None:
    plain = free_port()
    command = [str(Path(sys.executable).with_name("lunaport")), "serve", "--data-dir", str(tmp_path / "d")]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LUNAPORT_")}
    refused = subprocess.run(
        [*command, "--http", f"0.0.0.0:{plain}"], capture_output=True, text=True, check=False, env=environment
    )
    assert refused.returncode == 2
    assert "passwords would cross the network in the clear; right would be --https" in refused.stderr
    assert not (tmp_path / "d").exists()

    start_nas(options=("--http", f"0.0.0.0:{plain}", "--plain-http"))
    assert httpx.get(f"http://127.0.0.1:{plain}{SHARES}", auth=AUTH, trust_env=False).status_code == 200


def test_a_bad_certificate_ends_the_start_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("nonsense")
    nas = Nas(
        tmp_path / "nas",
        options=(
            *("--https", f"127.0.0.1:{free_port()}"),
            *("--https-certificate", str(tmp_path / "c.pem"), "--https-key", str(tmp_path / "c.pem")),
        ),
    )
    done = subprocess.run(nas.command(), capture_output=True, text=True, check=False, timeout=30)
    nas.client.close()
    assert done.returncode == 78
    assert "cannot serve HTTPS" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
