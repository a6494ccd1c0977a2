"""A small iSCSI initiator on plain sockets, to see on the wire what the NAS does.

It shares no code with `lunaport`: it is written from RFC 7143 a second time, so that a mistake made there is not made
here again. It is strict where a test looks (numbering, digests, residuals) and does one command at a time.
"""

import hashlib
import hmac
import secrets
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from tests.system.wire import (
    ASYNC,
    BHS,
    DATA_IN,
    DATA_OUT,
    FINAL,
    GOOD,
    IMMEDIATE,
    LOGIN,
    LOGIN_RESPONSE,
    LOGOUT,
    LOGOUT_RESPONSE,
    NO_TAG,
    NOP_IN,
    NOP_OUT,
    R2T,
    REJECT,
    SCSI_COMMAND,
    SCSI_RESPONSE,
    TASK_MANAGEMENT,
    TASK_RESPONSE,
    TEXT,
    TEXT_RESPONSE,
    ClosedError,
    InitiatorError,
    LoginError,
    Pdu,
    Result,
    crc32c,
)

ALGORITHMS = {5: "md5", 6: "sha1", 7: "sha256", 8: "sha3_256"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chap:
    """How an initiator proves itself and what it asks of the target."""

    user: str
    secret: str
    algorithms: tuple[int, ...] = (5,)
    target_user: str = ""
    target_secret: str = ""


@dataclass(slots=True)
class Initiator:
    """One connection, which is one session. Use it as a context: leaving closes the socket."""

    host: str
    port: int
    target: str = ""
    """Empty: a discovery session."""
    name: str = "iqn.2026-11.test.lunaport:raw"
    chap: Chap | None = None
    offers: Mapping[str, str] = field(default_factory=dict)
    """Operational keys beside the ones always sent."""
    timeout_s: float = 10.0

    negotiated: dict[str, str] = field(default_factory=dict)
    asyncs: list[int] = field(default_factory=list)
    """Asynchronous events seen (RFC 7143 section 11.9.1)."""
    corrupt_next_data_digest: bool = False
    sock: socket.socket = field(init=False)
    cmd_sn: int = 1
    exp_stat_sn: int = 0
    _tag: int = 0
    _header_digest: bool = False
    _data_digest: bool = False
    isid: bytes = field(default_factory=lambda: b"\x80" + secrets.token_bytes(5))

    def __enter__(self) -> Self:
        self.connect()
        try:
            self.login()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self) -> None:
        """Open the connection and log nothing in."""
        self.sock = socket.create_connection((self.host, self.port), timeout=self.timeout_s)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Drop the connection without a word."""
        self.sock.close()

    # PDUs

    def send(
        self,
        opcode: int,
        *,
        flags: int = FINAL,
        specific: int = 0,
        lun: int = 0,
        tag: int,
        words: tuple[int, ...],
        data: bytes = b"",
    ) -> None:
        """Send a PDU with the digests in force."""
        seven = (*words, *[0] * 7)[:7]
        pdu = header = BHS.pack(opcode, flags, specific, len(data), lun, tag, *seven)
        if self._header_digest:
            pdu += crc32c(header)
        if data:
            body = data + bytes(-len(data) % 4)
            pdu += body + (self._data_digest_of(body) if self._data_digest else b"")
        self.sock.sendall(pdu)

    def _data_digest_of(self, body: bytes) -> bytes:
        if self.corrupt_next_data_digest:
            self.corrupt_next_data_digest = False
            return bytes(byte ^ 0xFF for byte in crc32c(body))
        return crc32c(body)

    def receive(self) -> Pdu:
        """Wait for the next PDU of any kind."""
        header = self._read(48)
        opcode, flags, specific, lengths, lun, tag, *words = BHS.unpack(header)
        ahs = self._read((lengths >> 24) * 4)
        if self._header_digest and self._read(4) != crc32c(header + ahs):
            raise InitiatorError("header digest is wrong")
        length = lengths & 0xFFFFFF
        body = self._read(length + -length % 4)
        if self._data_digest and body and self._read(4) != crc32c(body):
            raise InitiatorError("data digest is wrong")
        return Pdu(
            opcode=opcode & 0x3F,
            flags=flags,
            specific=specific,
            lun=lun,
            tag=tag,
            words=tuple(words),
            data=body[:length],
        )

    def expect(self, *opcodes: int) -> Pdu:
        """Wait for a PDU of these kinds; answers pings, and notes asynchronous messages, that come before."""
        while True:
            pdu = self.receive()
            if pdu.opcode in opcodes:
                return pdu
            if pdu.opcode == ASYNC:
                self.asyncs.append(pdu.words[4] >> 24)
                self._status(pdu)
            elif pdu.opcode == NOP_IN and pdu.tag == NO_TAG:
                self.send(
                    NOP_OUT | IMMEDIATE, lun=pdu.lun, tag=NO_TAG, words=(pdu.words[0], self.cmd_sn, self.exp_stat_sn)
                )
            else:
                if pdu.opcode == REJECT:
                    self._status(pdu)
                raise InitiatorError(f"expected {opcodes}, got {pdu}")

    def _read(self, length: int) -> bytes:
        parts = bytearray()
        while len(parts) < length:
            try:
                part = self.sock.recv(length - len(parts))
            except ConnectionResetError as error:
                raise ClosedError(str(error)) from error
            if not part:
                raise ClosedError(f"closed after {len(parts)} of {length} bytes")
            parts += part
        return bytes(parts)

    def _status(self, pdu: Pdu) -> None:
        """Take the StatSN of a PDU that carries one; it must be the next."""
        if pdu.words[1] != self.exp_stat_sn:
            raise InitiatorError(f"StatSN {pdu.words[1]} instead of {self.exp_stat_sn} in {pdu}")
        self.exp_stat_sn = self.exp_stat_sn + 1 & 0xFFFFFFFF

    def _next_tag(self) -> int:
        self._tag += 1
        return self._tag

    # Login

    def login(self) -> None:
        """Log in: the security stage, then the operational one. Raises LoginError."""
        keys = {"InitiatorName": self.name, "SessionType": "Normal" if self.target else "Discovery"}
        if self.target:
            keys["TargetName"] = self.target
        keys["AuthMethod"] = "CHAP" if self.chap else "None"
        tag = self._next_tag()
        if self.chap:
            self._log_in_with_chap(tag, keys, self.chap)
        else:
            self.exchange(tag, keys, stage=0, next_stage=1)
        self.negotiated = self.exchange(
            tag,
            {
                "HeaderDigest": "None",
                "DataDigest": "None",
                "InitialR2T": "Yes",
                "ImmediateData": "Yes",
                "MaxRecvDataSegmentLength": "65536",
                "MaxBurstLength": "262144",
                "FirstBurstLength": "65536",
                "MaxOutstandingR2T": "1",
                "ErrorRecoveryLevel": "0",
                **self.offers,
            },
            stage=1,
            next_stage=3,
        )
        self._header_digest = self.negotiated.get("HeaderDigest") == "CRC32C"
        self._data_digest = self.negotiated.get("DataDigest") == "CRC32C"

    def exchange(self, tag: int, keys: Mapping[str, str], *, stage: int, next_stage: int | None) -> dict[str, str]:
        """Send one Login request and return the keys of its answer."""
        flags = stage << 2 if next_stage is None else 0x80 | stage << 2 | next_stage
        isid_tsih = int.from_bytes(self.isid + b"\0\0")
        text = "".join(f"{key}={value}\0" for key, value in keys.items()).encode()
        self.send(
            LOGIN | IMMEDIATE, flags=flags, lun=isid_tsih, tag=tag, words=(0, self.cmd_sn, self.exp_stat_sn), data=text
        )
        answer = self.receive()
        if answer.opcode != LOGIN_RESPONSE:
            raise InitiatorError(f"no login response but {answer}")
        if status := answer.words[4] >> 16:
            raise LoginError(status)
        self.exp_stat_sn = answer.words[1] + 1 & 0xFFFFFFFF
        if next_stage is not None and answer.flags & 0x83 != 0x80 | next_stage:
            raise InitiatorError(f"the target stays in its stage: {answer}")
        pairs = (item.split("=", 1) for item in answer.data.decode().split("\0") if item)
        return dict(pairs)

    def _log_in_with_chap(self, tag: int, keys: Mapping[str, str], chap: Chap) -> None:
        method = self.exchange(tag, keys, stage=0, next_stage=None)
        if method.get("AuthMethod") != "CHAP":
            raise InitiatorError(f"the target does not want CHAP: {method}")
        challenge = self.exchange(tag, {"CHAP_A": ",".join(map(str, chap.algorithms))}, stage=0, next_stage=None)
        algorithm = int(challenge["CHAP_A"])
        if algorithm not in chap.algorithms:
            raise InitiatorError(f"the target chose algorithm {algorithm}, which was not offered")
        proof = _chap_response(algorithm, int(challenge["CHAP_I"]), chap.secret, bytes.fromhex(challenge["CHAP_C"][2:]))
        reply = {"CHAP_N": chap.user, "CHAP_R": "0x" + proof.hex()}
        own = secrets.token_bytes(16)
        if chap.target_secret:
            reply |= {"CHAP_I": "77", "CHAP_C": "0x" + own.hex()}
        answer = self.exchange(tag, reply, stage=0, next_stage=1)
        if chap.target_secret:
            expected = _chap_response(algorithm, 77, chap.target_secret, own)
            given = bytes.fromhex(answer["CHAP_R"][2:])
            if answer["CHAP_N"] != chap.target_user or not hmac.compare_digest(expected, given):
                raise InitiatorError("the target could not prove itself")

    # Full feature phase

    def command(self, cdb: bytes, *, lun: int = 0, data_in: int = 0, data_out: bytes = b"") -> Result:
        """Carry out one SCSI command."""
        tag = self._next_tag()
        limit = int(self.negotiated.get("MaxRecvDataSegmentLength", "8192"))
        first = min(limit, int(self.negotiated.get("FirstBurstLength", "65536")), len(data_out))
        immediate = data_out[:first] if self.negotiated.get("ImmediateData", "Yes") == "Yes" else b""
        direction = 0x40 * bool(data_in) | 0x20 * bool(data_out)
        cdb_words = struct.unpack(">IIII", cdb.ljust(16, b"\0"))
        self.send(
            SCSI_COMMAND,
            flags=FINAL | direction,
            lun=lun << 48,
            tag=tag,
            words=(data_in or len(data_out), self.cmd_sn, self.exp_stat_sn, *cdb_words),
            data=immediate,
        )
        self.cmd_sn = self.cmd_sn + 1 & 0xFFFFFFFF
        return self._finish(tag, data_in, data_out)

    def _finish(self, tag: int, expected: int, data_out: bytes) -> Result:
        """Take what the target sends for a command until its status."""
        received = bytearray(expected)
        filled = data_sn = 0
        while True:
            pdu = self.expect(DATA_IN, R2T, SCSI_RESPONSE)
            if pdu.tag != tag:
                raise InitiatorError(f"not the command's tag: {pdu}")
            if pdu.opcode == DATA_IN:
                offset = pdu.words[5]
                if pdu.words[4] != data_sn or offset != filled:
                    raise InitiatorError(f"Data-In out of order: {pdu.words}")
                data_sn += 1
                received[offset : offset + len(pdu.data)] = pdu.data
                filled += len(pdu.data)
                if pdu.flags & 0x01:
                    self._status(pdu)
                    return Result(status=pdu.specific & 0xFF, data=bytes(received[:filled]))
            elif pdu.opcode == R2T:
                self._send_solicited(tag, pdu, data_out)
            else:
                self._status(pdu)
                return Result(status=pdu.specific & 0xFF, data=bytes(received[:filled]), sense=pdu.data[2:])

    def _send_solicited(self, tag: int, r2t: Pdu, data_out: bytes) -> None:
        transfer_tag, offset, length = r2t.words[0], r2t.words[5], r2t.words[6]
        limit = int(self.negotiated.get("MaxRecvDataSegmentLength", "8192"))
        for data_sn, start in enumerate(range(offset, offset + length, limit)):
            end = min(start + limit, offset + length)
            flags = FINAL if end == offset + length else 0
            words = (transfer_tag, 0, self.exp_stat_sn, 0, data_sn, start)
            self.send(DATA_OUT, flags=flags, lun=r2t.lun, tag=tag, words=words, data=data_out[start:end])

    def ping(self, data: bytes = b"are you there?") -> bytes:
        """NOP-Out and its NOP-In; returns what came back."""
        tag = self._next_tag()
        self.send(NOP_OUT | IMMEDIATE, tag=tag, words=(NO_TAG, self.cmd_sn, self.exp_stat_sn), data=data)
        pdu = self.expect(NOP_IN)
        self._status(pdu)
        return pdu.data

    def text(self, keys: Mapping[str, str]) -> list[tuple[str, str]]:
        """A Text request and all that it answers; names repeat in SendTargets."""
        tag, transfer_tag = self._next_tag(), NO_TAG
        data = "".join(f"{key}={value}\0" for key, value in keys.items()).encode()
        answer = b""
        while True:
            self.send(TEXT | IMMEDIATE, tag=tag, words=(transfer_tag, self.cmd_sn, self.exp_stat_sn), data=data)
            pdu = self.expect(TEXT_RESPONSE)
            self._status(pdu)
            answer += pdu.data
            if pdu.flags & FINAL:
                break
            transfer_tag, data = pdu.words[0], b""
        return [(key, value) for key, _, value in (item.partition("=") for item in answer.decode().split("\0")) if key]

    def reset_unit(self, lun: int = 0) -> int:
        """LOGICAL UNIT RESET; returns the response code."""
        self.send(
            TASK_MANAGEMENT | IMMEDIATE,
            flags=FINAL | 5,
            lun=lun << 48,
            tag=self._next_tag(),
            words=(NO_TAG, self.cmd_sn, self.exp_stat_sn),
        )
        pdu = self.expect(TASK_RESPONSE)
        self._status(pdu)
        return pdu.specific >> 8

    def logout(self) -> int:
        """Close the session; returns the response code. The target closes the connection after it."""
        self.send(LOGOUT | IMMEDIATE, flags=FINAL, tag=self._next_tag(), words=(0, self.cmd_sn, self.exp_stat_sn))
        pdu = self.expect(LOGOUT_RESPONSE)
        return pdu.specific >> 8

    def wait_for_close(self) -> None:
        """Take what still comes until the target closes the connection; raises TimeoutError when it does not."""
        try:
            while True:
                self.expect(NOP_IN, REJECT)
        except ClosedError:
            return

    # SCSI, the few commands the tests need

    def ready(self) -> Result:
        """TEST UNIT READY."""
        return self.command(bytes(6))

    def read(self, lba: int, blocks: int) -> bytes:
        """READ(16) of 512-byte blocks; raises where it fails."""
        result = self.command(struct.pack(">BBQIBB", 0x88, 0, lba, blocks, 0, 0), data_in=blocks * 512)
        return _good(result).data

    def write(self, lba: int, data: bytes, *, fua: bool = False) -> None:
        """WRITE(16) of whole 512-byte blocks; raises where it fails."""
        _good(self.command(struct.pack(">BBQIBB", 0x8A, 0x08 * fua, lba, len(data) // 512, 0, 0), data_out=data))

    def synchronize(self) -> None:
        """SYNCHRONIZE CACHE(10) of everything."""
        _good(self.command(bytes([0x35]) + bytes(9)))

    def capacity_bytes(self) -> int:
        """READ CAPACITY(16)."""
        data = _good(self.command(bytes([0x9E, 0x10]) + bytes(11) + bytes([32, 0, 0]), data_in=32)).data
        last, block = struct.unpack_from(">QI", data)
        return int((last + 1) * block)


def _good(result: Result) -> Result:
    if result.status != GOOD:
        raise InitiatorError(f"status {result.status:#04x}, sense {result.sense.hex()}")
    return result


def _chap_response(algorithm: int, identifier: int, secret: str, challenge: bytes) -> bytes:
    return hashlib.new(
        ALGORITHMS[algorithm], bytes([identifier]) + secret.encode() + challenge, usedforsecurity=False
    ).digest()
