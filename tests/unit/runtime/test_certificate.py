"""The certificate of HTTPS: made once, good for the names of this machine, checked when it is somebody's own."""

import datetime as dt
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lunaport.runtime.certificate import CertificateError, CertificateFiles, check_files, make_certificate, own_names

NOW = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)


def test_it_speaks_for_names_and_addresses(tmp_path: Path) -> None:
    files = make_certificate(tmp_path / "https", ["nas", "192.0.2.7", "::1", "nas"], NOW)
    made = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["nas"]
    assert names.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("192.0.2.7"),
        ipaddress.ip_address("::1"),
    ]
    assert made.not_valid_before_utc < NOW < made.not_valid_after_utc
    assert files.key.stat().st_mode & 0o777 == 0o600
    assert files.certificate.parent.stat().st_mode & 0o777 == 0o700
    assert check_files(files) is files


def test_it_is_made_once(tmp_path: Path) -> None:
    first = make_certificate(tmp_path, ["nas"], NOW).fingerprint()
    assert make_certificate(tmp_path, ["other"], NOW + dt.timedelta(days=400)).fingerprint() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["certificate.pem", "key.pem"]


def test_half_of_it_is_made_anew(tmp_path: Path) -> None:
    files = make_certificate(tmp_path, ["nas"], NOW)
    files.certificate.unlink()
    check_files(make_certificate(tmp_path, ["nas"], NOW))


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CertificateError, match="cannot be kept in"):
        make_certificate(tmp_path / "file", ["nas"], NOW)


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    one = make_certificate(tmp_path / "one", ["nas"], NOW)
    other = make_certificate(tmp_path / "other", ["nas"], NOW)
    with pytest.raises(CertificateError, match=r"other/key\.pem cannot be used for HTTPS: .*right would be"):
        check_files(CertificateFiles(certificate=one.certificate, key=other.key))
    with pytest.raises(CertificateError, match=r"there is no file .*missing\.pem"):
        check_files(CertificateFiles(certificate=one.certificate, key=tmp_path / "missing.pem"))


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    files = make_certificate(tmp_path, ["nas"], NOW)
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"a password"),
        )
    )
    with pytest.raises(CertificateError, match="without a password"):
        check_files(files)


def test_own_names_leave_out_what_is_no_address() -> None:
    names = own_names(["https://0.0.0.0:8443", "https://[::]:8443", "https://192.0.2.7:1", "http://localhost:2"])
    assert names[0] == "192.0.2.7"
    assert {"localhost", "127.0.0.1", "::1"} <= set(names)
    assert not {"0.0.0.0", "::", ""} & set(names)  # noqa: S104 - compared, not bound
    assert len(names) == len(set(names))
