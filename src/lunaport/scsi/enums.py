"""The numbers of SAM-5, SPC-4 and SBC-3, once. Sense codes stand in `sense`, limits in `limits`."""

from enum import Enum, IntEnum


class DeviceType(IntEnum):
    """Peripheral device types (SPC-4 table 138)."""

    DISK = 0x00
    CDROM = 0x05


class Opcode(IntEnum):
    """Operation codes of the commands that disks have here (SPC-4 table D.2)."""

    TEST_UNIT_READY = 0x00
    REQUEST_SENSE = 0x03
    FORMAT_UNIT = 0x04
    READ_6 = 0x08
    WRITE_6 = 0x0A
    INQUIRY = 0x12
    RESERVE_6 = 0x16
    RELEASE_6 = 0x17
    MODE_SELECT_6 = 0x15
    MODE_SENSE_6 = 0x1A
    START_STOP_UNIT = 0x1B
    PREVENT_ALLOW_MEDIUM_REMOVAL = 0x1E
    READ_CAPACITY_10 = 0x25
    READ_10 = 0x28
    WRITE_10 = 0x2A
    WRITE_AND_VERIFY_10 = 0x2E
    VERIFY_10 = 0x2F
    PRE_FETCH_10 = 0x34
    SYNCHRONIZE_CACHE_10 = 0x35
    READ_DEFECT_DATA_10 = 0x37
    WRITE_BUFFER = 0x3B
    READ_BUFFER = 0x3C
    WRITE_SAME_10 = 0x41
    UNMAP = 0x42
    LOG_SENSE = 0x4D
    MODE_SELECT_10 = 0x55
    SANITIZE = 0x48
    RESERVE_10 = 0x56
    RELEASE_10 = 0x57
    MODE_SENSE_10 = 0x5A
    PERSISTENT_RESERVE_IN = 0x5E
    PERSISTENT_RESERVE_OUT = 0x5F
    THIRD_PARTY_COPY_OUT = 0x83
    THIRD_PARTY_COPY_IN = 0x84
    READ_16 = 0x88
    COMPARE_AND_WRITE = 0x89
    WRITE_16 = 0x8A
    ORWRITE_16 = 0x8B
    WRITE_AND_VERIFY_16 = 0x8E
    VERIFY_16 = 0x8F
    PRE_FETCH_16 = 0x90
    SYNCHRONIZE_CACHE_16 = 0x91
    WRITE_SAME_16 = 0x93
    WRITE_ATOMIC_16 = 0x9C
    SERVICE_ACTION_IN_16 = 0x9E
    REPORT_LUNS = 0xA0
    MAINTENANCE_IN = 0xA3
    READ_12 = 0xA8
    WRITE_12 = 0xAA
    WRITE_AND_VERIFY_12 = 0xAE
    VERIFY_12 = 0xAF
    READ_DEFECT_DATA_12 = 0xB7


class ServiceActionIn(IntEnum):
    """Service actions of SERVICE ACTION IN(16)."""

    READ_CAPACITY_16 = 0x10
    GET_LBA_STATUS = 0x12


class MaintenanceIn(IntEnum):
    """Service actions of MAINTENANCE IN."""

    REPORT_TARGET_PORT_GROUPS = 0x0A
    REPORT_SUPPORTED_OPERATION_CODES = 0x0C
    REPORT_SUPPORTED_TASK_MANAGEMENT_FUNCTIONS = 0x0D


class ReserveIn(IntEnum):
    """Service actions of PERSISTENT RESERVE IN (SPC-4 table 159)."""

    READ_KEYS = 0x00
    READ_RESERVATION = 0x01
    REPORT_CAPABILITIES = 0x02
    READ_FULL_STATUS = 0x03


class ReserveOut(IntEnum):
    """Service actions of PERSISTENT RESERVE OUT (SPC-4 table 170)."""

    REGISTER = 0x00
    RESERVE = 0x01
    RELEASE = 0x02
    CLEAR = 0x03
    PREEMPT = 0x04
    PREEMPT_AND_ABORT = 0x05
    REGISTER_AND_IGNORE_EXISTING_KEY = 0x06
    REGISTER_AND_MOVE = 0x07
    REPLACE_LOST_RESERVATION = 0x08


class ReservationType(IntEnum):
    """Types of persistent reservation (SPC-4 table 164)."""

    WRITE_EXCLUSIVE = 0x1
    EXCLUSIVE_ACCESS = 0x3
    WRITE_EXCLUSIVE_REGISTRANTS_ONLY = 0x5
    EXCLUSIVE_ACCESS_REGISTRANTS_ONLY = 0x6
    WRITE_EXCLUSIVE_ALL_REGISTRANTS = 0x7
    EXCLUSIVE_ACCESS_ALL_REGISTRANTS = 0x8


class Access(Enum):
    """What a command means to a persistent reservation of others (SPC-4 table 65, SBC-3 table 13)."""

    ALWAYS = "legal under every reservation"
    READING = "legal while others have write exclusive access"
    CHANGING = "for those with access only"


class TaskAttribute(IntEnum):
    """Task attributes (SAM-5 8.7), by the numbers of RFC 7143 section 11.3.1; 5 to 7 are none."""

    UNTAGGED = 0
    SIMPLE = 1
    ORDERED = 2
    HEAD_OF_QUEUE = 3
    ACA = 4


class Sanitize(IntEnum):
    """Service actions of SANITIZE (SBC-3 table 83)."""

    OVERWRITE = 0x01
    BLOCK_ERASE = 0x02
    CRYPTOGRAPHIC_ERASE = 0x03
    EXIT_FAILURE_MODE = 0x1F


class CopyOut(IntEnum):
    """Service actions of THIRD-PARTY COPY OUT (SPC-4 table 113)."""

    EXTENDED_COPY_LID1 = 0x00
    EXTENDED_COPY_LID4 = 0x01
    POPULATE_TOKEN = 0x10
    WRITE_USING_TOKEN = 0x11
    COPY_OPERATION_ABORT = 0x1C


class CopyIn(IntEnum):
    """Service actions of THIRD-PARTY COPY IN (SPC-4 table 114)."""

    RECEIVE_COPY_STATUS_LID1 = 0x00
    RECEIVE_COPY_DATA_LID1 = 0x01
    RECEIVE_COPY_OPERATING_PARAMETERS = 0x03
    RECEIVE_COPY_FAILURE_DETAILS_LID1 = 0x04
    RECEIVE_COPY_STATUS_LID4 = 0x05
    RECEIVE_COPY_DATA_LID4 = 0x06
    RECEIVE_ROD_TOKEN_INFORMATION = 0x07


class CopyStatus(IntEnum):
    """COPY OPERATION STATUS (SPC-4 table 289)."""

    COMPLETED = 0x01
    FAILED = 0x02
    COMPLETED_WITH_RESIDUAL = 0x04
    IN_FOREGROUND = 0x10
    IN_BACKGROUND = 0x11
    TERMINATED = 0x60


class Status(IntEnum):
    """SAM-5 table 34."""

    GOOD = 0x00
    CHECK_CONDITION = 0x02
    CONDITION_MET = 0x04
    BUSY = 0x08
    RESERVATION_CONFLICT = 0x18
    TASK_SET_FULL = 0x28
    TASK_ABORTED = 0x40


class SenseKey(IntEnum):
    """SPC-4 table 46."""

    NO_SENSE = 0x0
    NOT_READY = 0x2
    MEDIUM_ERROR = 0x3
    HARDWARE_ERROR = 0x4
    ILLEGAL_REQUEST = 0x5
    UNIT_ATTENTION = 0x6
    DATA_PROTECT = 0x7
    COPY_ABORTED = 0xA
    MISCOMPARE = 0xE


class VpdPage(IntEnum):
    """Vital product data pages (SPC-4 7.8, SBC-3 6.5)."""

    SUPPORTED_PAGES = 0x00
    UNIT_SERIAL_NUMBER = 0x80
    DEVICE_IDENTIFICATION = 0x83
    EXTENDED_INQUIRY_DATA = 0x86
    MODE_PAGE_POLICY = 0x87
    SCSI_PORTS = 0x88
    THIRD_PARTY_COPY = 0x8F
    BLOCK_LIMITS = 0xB0
    BLOCK_DEVICE_CHARACTERISTICS = 0xB1
    LOGICAL_BLOCK_PROVISIONING = 0xB2


class ModePage(IntEnum):
    """Mode pages (SPC-4 7.5, SBC-3 6.4, MMC-6 7)."""

    READ_WRITE_ERROR_RECOVERY = 0x01
    CACHING = 0x08
    CONTROL = 0x0A
    POWER_CONDITION = 0x1A
    INFORMATIONAL_EXCEPTIONS = 0x1C
    TIMEOUT_AND_PROTECT = 0x1D
    CD_CAPABILITIES = 0x2A
    ALL = 0x3F


class LogPage(IntEnum):
    """Log pages (SPC-4 7.3, SBC-3 6.3)."""

    SUPPORTED = 0x00
    PROVISIONING = 0x0C
    INFORMATIONAL_EXCEPTIONS = 0x2F


class BufferMode(IntEnum):
    """MODE of READ BUFFER and WRITE BUFFER (SPC-4 tables 233 and 386)."""

    DESCRIPTOR = 0x03
    ECHO = 0x0A
    ECHO_DESCRIPTOR = 0x0B


class PageControl(IntEnum):
    """PC field of MODE SENSE (SPC-4 table 172)."""

    CURRENT = 0
    CHANGEABLE = 1
    DEFAULT = 2
    SAVED = 3


class ByteCheck(IntEnum):
    """BYTCHK field of VERIFY (SBC-3 5.33)."""

    MEDIUM = 0
    EACH_BLOCK = 1
    RESERVED = 2
    ONE_BLOCK = 3


class ReportingOptions(IntEnum):
    """REPORTING OPTIONS of REPORT SUPPORTED OPERATION CODES (SPC-4 table 271)."""

    ALL = 0
    OPCODE = 1
    OPCODE_AND_SERVICE_ACTION = 2
    EITHER = 3


class SelectReport(IntEnum):
    """SELECT REPORT of REPORT LUNS (SPC-4 table 282)."""

    ADDRESSABLE = 0
    WELL_KNOWN = 1
    ALL = 2
