"""Encryption of the secrets at rest: AES-256-GCM (NIST SP 800-38D) under a key in a file of its own.

Invariants: the key file is written once, whole, readable by its owner only, and never replaced; each ciphertext has its
own random nonce and is bound to its place (`context`), so that rows cannot be swapped. Text form of the file: 64
hexadecimal digits and a newline.
"""

import hashlib
import hmac
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lunaport.store.errors import KeyMissingError, KeyWrongError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
_KEY_TEXT = re.compile(rb"[0-9a-f]{64}\n")

RandomBytes = Callable[[int], bytes]


class SecretBox:
    """Encrypts and decrypts short texts."""

    def __init__(self, key: bytes, random_bytes: RandomBytes) -> None:
        self._key = key
        self._cipher = AESGCM(key)
        self._random_bytes = random_bytes

    def derive(self, purpose: str) -> bytes:
        """A key of 32 bytes for `purpose`."""
        return hmac.digest(self._key, b"lunaport " + purpose.encode(), hashlib.sha256)

    def __repr__(self) -> str:
        return "SecretBox()"

    def encrypt(self, text: str, context: str) -> bytes:
        """Nonce and ciphertext, bound to `context`."""
        nonce = self._random_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text.encode(), context.encode())

    def decrypt(self, sealed: bytes, context: str) -> str:
        """The text. Raises KeyWrongError when key or context are not those of `encrypt`, or the bytes were changed."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise KeyWrongError("a stored secret does not fit the key file; was secret.key replaced?") from error


def load_key(path: Path, *, may_create: bool, random_bytes: RandomBytes) -> bytes:
    """Read the key, or make it when `may_create` (no database yet). Raises KeyMissingError, KeyWrongError."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        if not may_create:
            raise KeyMissingError(
                f"{path} is missing, but the database beside it holds secrets encrypted with it; "
                "put the file back from a backup"
            ) from None
        return _create_key(path, random_bytes)
    if _KEY_TEXT.fullmatch(text) is None:
        raise KeyWrongError(f"{path} is not a key file (64 hexadecimal digits); put it back from a backup")
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return bytes.fromhex(text.decode())


def _create_key(path: Path, random_bytes: RandomBytes) -> bytes:
    """Write a new key beside its place, whole, then link it there: a crash leaves all of it or nothing."""
    key = random_bytes(KEY_BYTES)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, key.hex().encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(draft, path)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return key
