"""The rows of the command table that only optical drives have (MMC-6)."""

from lunaport.scsi import disc_information, event_status, get_configuration, read_cd, read_toc
from lunaport.scsi.command import DRIVES, Command
from lunaport.scsi.enums import Access
from lunaport.scsi.ordering import Ordering


def _usage(text: str) -> bytes:
    return bytes.fromhex(text)


OPTICAL = (
    Command(
        usage=_usage("46 03 FF FF 00 00 00 FF FF 00"),
        handler=get_configuration.get_configuration,
        devices=DRIVES,
        access=Access.ALWAYS,
        when_lost=True,
        with_reservation=True,
        when_stopped=True,
        ignores_attention=True,
    ),
    Command(
        usage=_usage("4A 01 00 00 FF 00 00 FF FF 00"),
        handler=event_status.get_event_status_notification,
        devices=DRIVES,
        access=Access.ALWAYS,
        when_lost=True,
        with_reservation=True,
        when_stopped=True,
        ignores_attention=True,
    ),
    Command(
        usage=_usage("BD 00 00 00 00 00 00 00 FF FF 00 00"),
        handler=event_status.mechanism_status,
        devices=DRIVES,
        access=Access.READING,
        when_stopped=True,
    ),
    Command(
        usage=_usage("43 02 0F 00 00 00 FF FF FF C0"),
        handler=read_toc.read_toc,
        devices=DRIVES,
        access=Access.READING,
    ),
    Command(
        usage=_usage("51 07 00 00 00 00 00 FF FF 00"),
        handler=disc_information.read_disc_information,
        devices=DRIVES,
        access=Access.READING,
    ),
    Command(
        usage=_usage("52 07 FF FF FF FF 00 FF FF 00"),
        handler=disc_information.read_track_information,
        devices=DRIVES,
        access=Access.READING,
    ),
    Command(
        usage=_usage("AD 0F FF FF FF FF FF FF FF FF C0 00"),
        handler=disc_information.read_disc_structure,
        devices=DRIVES,
        access=Access.READING,
    ),
    Command(
        usage=_usage("BE 1E FF FF FF FF FF FF FF FE 07 00"),
        handler=read_cd.read_cd,
        ordering=Ordering.READS,
        devices=DRIVES,
        access=Access.READING,
    ),
    Command(
        usage=_usage("B9 1E 00 FF FF FF FF FF FF FE 07 00"),
        handler=read_cd.read_cd_msf,
        ordering=Ordering.READS,
        devices=DRIVES,
        access=Access.READING,
    ),
    Command(
        usage=_usage("2B 00 FF FF FF FF 00 00 00 00"),
        handler=read_cd.seek_10,
        devices=DRIVES,
        access=Access.READING,
    ),
    Command(
        usage=_usage("BB 03 FF FF FF FF 00 00 00 00 00 00"),
        handler=read_cd.set_cd_speed,
        devices=DRIVES,
        access=Access.READING,
    ),
    Command(
        usage=_usage("B6 00 00 00 00 00 00 00 FF FF FF 00"),
        handler=read_cd.set_streaming,
        devices=DRIVES,
        access=Access.READING,
    ),
)
