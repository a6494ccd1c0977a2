"""The certificate that HTTPS is served with: the administrator's own, or one made here at the first start.

The one made here is signed by itself: a browser asks once, a client pins it (`curl --cacert`). It lives ten years,
since everybody who trusts it would have to be told of a new one. The key is readable by this user only and never
leaves the data directory.
"""

import contextlib
import datetime as dt
import ipaddress
import os
import secrets
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE_DAYS: Final = 3650
COMMON_NAME: Final = "Lunaport"


class CertificateError(Exception):
    """HTTPS cannot be served with these files; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    """A certificate (with its chain) and its private key, both PEM."""

    certificate: Path
    key: Path

    def fingerprint(self) -> str:
        """SHA-256 of the certificate, as browsers show it."""
        digest = x509.load_pem_x509_certificate(self.certificate.read_bytes()).fingerprint(hashes.SHA256())
        return digest.hex(":").upper()


def check_files(files: CertificateFiles) -> CertificateFiles:
    """The files, when a server can use them. Raises CertificateError."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key, password=_no_password)
    except FileNotFoundError:
        missing = next((path for path in (files.certificate, files.key) if not path.exists()), files.certificate)
        raise CertificateError(f"there is no file {missing}") from None
    except OSError as error:  # ssl.SSLError is one
        raise CertificateError(
            f"{files.certificate} and {files.key} cannot be used for HTTPS: {error.strerror or error}; right would be a"
            " PEM certificate with its chain, and its PEM key without a password"
        ) from None
    return files


def _no_password() -> str:
    """Without it a key with a password would be asked for on the terminal."""
    return ""


def make_certificate(directory: Path, hosts: Iterable[str], now: dt.datetime) -> CertificateFiles:
    """The certificate in `directory`, made now when there is none; `hosts` are names and addresses it speaks for."""
    files = CertificateFiles(certificate=directory / "certificate.pem", key=directory / "key.pem")
    if files.certificate.exists() and files.key.exists():
        return check_files(files)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=LIFE_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in dict.fromkeys(hosts)]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(
            files.key,
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )
        _write(files.certificate, certificate.public_bytes(serialization.Encoding.PEM))
    except OSError as error:
        raise CertificateError(f"the certificate cannot be kept in {directory}: {error.strerror}") from error
    return files


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: a start that is cut off leaves nothing that the next one would stumble over."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def own_names(urls: Iterable[str]) -> list[str]:
    """The names and addresses this machine is called by, as far as it knows them."""
    name = socket.gethostname()
    hosts = [urlsplit(url).hostname or "" for url in urls]
    with contextlib.suppress(OSError):
        hosts += [str(each[4][0]) for each in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
    hosts += [name, "localhost", "127.0.0.1", "::1"]
    return [host for host in dict.fromkeys(hosts) if host not in ("", "0.0.0.0", "::") and "%" not in host]  # noqa: S104 - compared, not bound
