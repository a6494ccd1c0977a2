"""The file of a backup: JSON, its content compressed and encrypted under a passphrase.

The key comes from the passphrase by Argon2id (RFC 9106, with its second recommended parameters), the content is sealed
by AES-256-GCM (NIST SP 800-38D), and everything else in the file is authenticated with it. A second key, of the same
derivation, tells a wrong passphrase from a damaged file.

    format      "lunaport-backup"
    version     1; what a later one means is not known here
    program     the version of Lunaport that wrote it
    created_at  seconds since 1970
    kdf         name, time_cost, memory_kib, parallelism, salt (base64)
    check       base64: HMAC-SHA256 under the second key, of all of the above and the nonce
    nonce       base64
    content     base64
"""

import base64
import binascii
import hashlib
import hmac
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lunaport.model.backup import BackupContent
from lunaport.model.errors import Fault, InvalidError, invalid

FORMAT: Final = "lunaport-backup"
VERSION: Final = 1
PASSPHRASE_BYTES_MIN: Final = 12
PASSPHRASE_BYTES_MAX: Final = 1024
CREATED_AT_MAX: Final = 253_370_764_800.0
"""The year 9999."""
CONTENT_BYTES_MAX: Final = 24 << 20
"""Of the file, compressed and encrypted."""
PLAIN_BYTES_MAX: Final = 256 << 20
"""Of what is in it."""

KDF: Final = "argon2id"
TIME_COST: Final = 3
MEMORY_KIB: Final = 64 * 1024
PARALLELISM: Final = 4
TIME_COST_MAX: Final = 16
MEMORY_KIB_MAX: Final = 256 * 1024
PARALLELISM_MAX: Final = 16
"""What a file may ask for; more than this program writes, so that later ones may."""

_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
_BYTES: Final = "$bytes"

_FIELDS: Final = frozenset({"format", "version", "program", "created_at", "kdf", "nonce", "check", "content"})
_KDF_FIELDS: Final = frozenset({"name", "time_cost", "memory_kib", "parallelism", "salt"})

Document = dict[str, Any]


def check_passphrase(passphrase: str) -> None:
    """Raise InvalidError at `passphrase` unless it is long enough."""
    length = len(passphrase.encode())
    if not PASSPHRASE_BYTES_MIN <= length <= PASSPHRASE_BYTES_MAX:
        raise invalid(
            Fault.PARAMETER_INVALID,
            f"is {length} bytes long; right would be {PASSPHRASE_BYTES_MIN} to {PASSPHRASE_BYTES_MAX}",
            "passphrase",
        )


def seal(
    content: BackupContent,
    passphrase: str,
    *,
    program: str,
    created_at: float,
    random_bytes: Callable[[int], bytes],
    memory_kib: int = MEMORY_KIB,
) -> Document:
    """The document of a backup. Blocks for a tenth of a second or so."""
    plain = _plain(content)
    return seal_plain(
        plain,
        passphrase,
        program=program,
        created_at=created_at,
        random_bytes=random_bytes,
        memory_kib=memory_kib,
    )


def _plain(content: BackupContent) -> bytes:
    return json.dumps(
        {"revision": content.revision, "tables": content.tables, "sequences": content.sequences},
        default=lambda value: {_BYTES: _text(value)},
        separators=(",", ":"),
    ).encode()


def seal_plain(
    plain: bytes,
    passphrase: str,
    *,
    program: str,
    created_at: float,
    random_bytes: Callable[[int], bytes],
    memory_kib: int = MEMORY_KIB,
) -> Document:
    """As `seal`, of bytes that are the content already."""
    kdf = {
        "name": KDF,
        "time_cost": TIME_COST,
        "memory_kib": memory_kib,
        "parallelism": PARALLELISM,
        "salt": _text(random_bytes(_SALT_BYTES)),
    }
    nonce = random_bytes(_NONCE_BYTES)
    head: Document = {
        "format": FORMAT,
        "version": VERSION,
        "program": program,
        "created_at": created_at,
        "kdf": kdf,
        "nonce": _text(nonce),
    }
    key, check_key = _keys(passphrase, kdf)
    check = _check(head, check_key)
    sealed = AESGCM(key).encrypt(nonce, zlib.compress(plain, 9), check)
    return {**head, "check": _text(check), "content": _text(sealed)}


def unseal(document: Mapping[str, Any], passphrase: str) -> BackupContent:
    """What a backup holds. Blocks as `seal` does. Raises InvalidError, at `passphrase` when that is what is wrong."""
    if document.get("format") != FORMAT:
        raise invalid(Fault.BACKUP_INVALID, "is no backup of Lunaport", "backup")
    version = document.get("version")
    if type(version) is not int or version < 1:
        raise _damaged("its version cannot be read")
    if version > VERSION:
        raise invalid(
            Fault.BACKUP_NEWER,
            f"is of version {min(version, 10**9)}, this Lunaport knows version {VERSION}; use the one that wrote it, "
            f"or a later one",
            "backup",
        )
    if document.keys() != _FIELDS or not isinstance(document["program"], str):
        raise _damaged("its fields are not those of a backup")
    created_at = document["created_at"]
    if not isinstance(created_at, (int, float)) or not 0 <= created_at < CREATED_AT_MAX:
        raise _damaged("its time cannot be read")
    head = {name: value for name, value in document.items() if name not in ("check", "content")}
    sealed = _bytes(document.get("content"), "content", length_max=CONTENT_BYTES_MAX)
    check = _bytes(document.get("check"), "check", length=hashlib.sha256().digest_size)
    nonce = _bytes(document.get("nonce"), "nonce", length=_NONCE_BYTES)
    key, check_key = _keys(passphrase, document.get("kdf"))
    if not hmac.compare_digest(check, _check(head, check_key)):
        raise invalid(
            Fault.BACKUP_PASSPHRASE, "is not that of this backup (or its head has been changed)", "passphrase"
        )
    try:
        compressed = AESGCM(key).decrypt(nonce, sealed, check)
    except InvalidTag:
        raise _damaged("its content is not what was written") from None
    return _parse(compressed)


def _parse(compressed: bytes) -> BackupContent:
    """From here on it is what somebody with the passphrase wrote: perhaps not this program."""
    try:
        stream = zlib.decompressobj()
        plain = stream.decompress(compressed, PLAIN_BYTES_MAX)
        if not stream.eof:
            raise _damaged("its content is too large, or has no end")
        value = json.loads(plain, object_hook=_hook)
        tables, sequences, revision = value["tables"], value["sequences"], value["revision"]
        if not (
            isinstance(revision, str)
            and all(isinstance(row, dict) for rows in tables.values() for row in rows)
            and all(type(last) is int and 0 <= last < 1 << 62 for last in sequences.values())
            and all(_is_plain(each) for rows in tables.values() for row in rows for each in row.values())
        ):
            raise _damaged("its content has another form")
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _damaged("its content has another form") from None
    return BackupContent(revision=revision, tables=tables, sequences=sequences)


def _is_plain(value: object) -> bool:
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return False
    return value is None or isinstance(value, (str, int, float, bool, bytes))


def _hook(value: Document) -> Any:
    if value.keys() == {_BYTES}:
        return base64.b64decode(value[_BYTES], validate=True)
    return value


def _keys(passphrase: str, kdf: Any) -> tuple[bytes, bytes]:
    """The key of the content, and the one that the passphrase is checked with."""
    if not isinstance(kdf, Mapping) or kdf.keys() != _KDF_FIELDS or kdf["name"] != KDF:
        raise _damaged("its key derivation is not known")
    costs = []
    for name, most in (("time_cost", TIME_COST_MAX), ("memory_kib", MEMORY_KIB_MAX), ("parallelism", PARALLELISM_MAX)):
        cost = kdf.get(name)
        if type(cost) is not int or not 1 <= cost <= most:
            raise _damaged(f"{name} is not 1 to {most}")
        costs.append(cost)
    salt = _bytes(kdf.get("salt"), "salt", length=_SALT_BYTES)
    time_cost, memory_kib, parallelism = costs
    derived = hash_secret_raw(
        passphrase.encode(),
        salt,
        time_cost=time_cost,
        memory_cost=max(memory_kib, 8 * parallelism),
        parallelism=parallelism,
        hash_len=2 * _KEY_BYTES,
        type=Type.ID,
    )
    return derived[:_KEY_BYTES], derived[_KEY_BYTES:]


def _check(head: Mapping[str, Any], key: bytes) -> bytes:
    return hmac.digest(key, json.dumps(head, sort_keys=True).encode(), "sha256")


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bytes(value: object, name: str, *, length: int | None = None, length_max: int | None = None) -> bytes:
    try:
        if not isinstance(value, str):
            raise _damaged(f"{name} is missing")
        found = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise _damaged(f"{name} is not base64") from None
    if (length is not None and len(found) != length) or (length_max is not None and len(found) > length_max):
        raise _damaged(f"{name} is of another length")
    return found


def _damaged(reason: str) -> InvalidError:
    return invalid(Fault.BACKUP_INVALID, f"is damaged: {reason}", "backup")
