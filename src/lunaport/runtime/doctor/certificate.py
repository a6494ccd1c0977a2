"""The certificate of HTTPS: can it be used, and for how long still."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography import x509

from lunaport.runtime.certificate import CertificateError, CertificateFiles, check_files
from lunaport.runtime.control import CERTIFICATE_FOLDER
from lunaport.runtime.doctor.findings import Finding, error, ok, warning
from lunaport.runtime.settings import Settings

SOON_DAYS: Final = 30


def check_certificate(settings: Settings, now: dt.datetime | None = None) -> Iterator[Finding]:
    """The administrator's, or the one made here. Nothing where HTTPS is not served."""
    if not settings.https:
        return
    own = settings.data_dir / CERTIFICATE_FOLDER
    renewal = "get a new one, and restart"
    if settings.https_certificate is not None and settings.https_key is not None:
        files = CertificateFiles(certificate=settings.https_certificate, key=settings.https_key)
    else:
        files = CertificateFiles(certificate=own / "certificate.pem", key=own / "key.pem")
        renewal = f"remove {own}, and restart: a new one is made, which has to be trusted anew"
        if not files.certificate.exists():
            yield ok("certificate", "there is none yet; the first start makes it")
            return
    try:
        check_files(files)
        yield _judge(files.certificate, now or dt.datetime.now(dt.UTC), renewal)
    except (CertificateError, ValueError, OSError) as failure:
        yield error("certificate", str(failure), renewal)


def _judge(path: Path, now: dt.datetime, renewal: str) -> Finding:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    ends, begins = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    if now < begins:
        return error("certificate", f"{path} is valid from {begins:%Y-%m-%d} on only", "see to the clock")
    if now >= ends:
        return error("certificate", f"{path} has expired on {ends:%Y-%m-%d}", renewal)
    if ends - now < dt.timedelta(days=SOON_DAYS):
        return warning("certificate", f"{path} expires on {ends:%Y-%m-%d}", renewal)
    return ok("certificate", f"{path} is valid until {ends:%Y-%m-%d}")
