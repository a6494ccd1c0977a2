"""The settings of `lunaport serve`, from four places; the first that has a value wins: the command line, variables of
the environment (`LUNAPORT_<NAME>`, lists separated by commas), a TOML file, the defaults.

Kept free of everything heavy: the supervisor imports it and stays in memory. The first password is not a setting: the
control process alone reads LUNAPORT_ADMIN_PASSWORD.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from lunaport.model.address import ISCSI_PORT, HostPort, is_loopback, parse_host_port
from lunaport.model.errors import InvalidError
from lunaport.model.name import DEFAULT_IQN_PREFIX, is_iqn_prefix

HTTP_PORT: Final = 8080
HTTPS_PORT: Final = 8443
SILENCE_S_MIN: Final = 5.0
"""More than two signs of life of a process (`runtime.heartbeat`)."""

MEMORY_MIB_MIN: Final = 64
DATA_PROCESSES_MAX: Final = 16

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]


class SettingsError(Exception):
    """The settings cannot be used; the message is for the administrator."""


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Addresses = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), Field(min_length=1, max_length=32)]


def _silence(value: float) -> float:
    if 0 < value < SILENCE_S_MIN:
        raise ValueError(f"is less than {SILENCE_S_MIN:g}; right would be 0 for never, or more")
    return value


Silence = Annotated[float, Field(ge=0, le=86400), AfterValidator(_silence)]


class Settings(BaseSettings):
    """Everything that is set outside the database."""

    model_config = SettingsConfigDict(env_prefix="LUNAPORT_", extra="forbid", frozen=True, hide_input_in_errors=True)

    data_dir: Annotated[Path, Field(description="Directory of the database and of the default volume.")] = Path(
        "/var/lib/lunaport"
    )
    http: Annotated[Addresses, Field(description="Where HTTP is served; port 8080 when left out.")] = (
        f"127.0.0.1:{HTTP_PORT}",
    )
    portal: Annotated[
        Addresses, Field(description="Where iSCSI is served, until that is set while it runs; port 3260 when left out.")
    ] = (f"127.0.0.1:{ISCSI_PORT}",)
    https: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_split),
        Field(max_length=32, description="Where HTTPS is served; port 8443 when left out."),
    ] = ()
    https_certificate: Annotated[
        Path | None, Field(description="Your certificate, PEM with its chain; none: it makes one.")
    ] = None
    https_key: Annotated[Path | None, Field(description="The private key of it, PEM without a password.")] = None
    plain_http: Annotated[
        bool, Field(description="Serve plain HTTP on other addresses than loopback too, where the network is trusted.")
    ] = False
    iqn_prefix: Annotated[str, Field(description="What short names of targets are put behind.")] = DEFAULT_IQN_PREFIX
    trash_days: Annotated[
        float, Field(ge=0, le=36500, description="Days that deleted disks stay in the trash of their volume.")
    ] = 14
    audit_days: Annotated[float, Field(ge=1, le=36500, description="Days that entries of the audit log are kept.")] = (
        365
    )
    sessions: Annotated[int, Field(ge=1, le=32768, description="Sessions in all.")] = 4096
    target_sessions: Annotated[int, Field(ge=1, le=32768, description="Sessions of one target.")] = 1024
    initiator_sessions: Annotated[
        int, Field(ge=1, le=32768, description="Sessions of one initiator with one target.")
    ] = 64
    address_connections: Annotated[int, Field(ge=1, le=32768, description="iSCSI connections of one address.")] = 2048
    memory_mib: Annotated[
        int, Field(ge=MEMORY_MIB_MIN, le=1 << 20, description="MiB that data under way may take, of all sessions.")
    ] = 256
    data_processes: Annotated[
        int, Field(ge=1, le=DATA_PROCESSES_MAX, description="Processes that serve targets, each a part of them.")
    ] = 1
    http_requests_per_s: Annotated[
        float, Field(ge=0, le=1e6, description="HTTP requests of one address a second, beyond a burst; 0: no limit.")
    ] = 200
    data_silence_s: Annotated[
        Silence,
        Field(description="Seconds after which a data process that does not answer is started again; 0: never."),
    ] = 60
    control_silence_s: Annotated[Silence, Field(description="The same for the control process.")] = 120
    log_level: Annotated[LogLevel, Field(description="debug, info, warning or error.")] = "info"
    log_format: Annotated[LogFormat, Field(description="text, or json: an object a line.")] = "text"
    set_aside_database: Annotated[
        bool, Field(description="Once: keep a broken database under another name, begin a new one.")
    ] = False

    @field_validator("http")
    @classmethod
    def _http_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(_address(each, HTTP_PORT)) for each in value)

    @field_validator("https")
    @classmethod
    def _https_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(_address(each, HTTPS_PORT)) for each in value)

    @field_validator("portal")
    @classmethod
    def _portal_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(_address(each, ISCSI_PORT)) for each in value)

    @field_validator("iqn_prefix")
    @classmethod
    def _prefix(cls, value: str) -> str:
        if not is_iqn_prefix(value):
            raise ValueError(f"is not iqn.<yyyy-mm>.<reversed domain>, such as {DEFAULT_IQN_PREFIX}")
        return value

    @model_validator(mode="after")
    def _passwords_are_covered(self) -> Self:
        if (self.https_certificate is None) != (self.https_key is None):
            raise ValueError("https_certificate and https_key belong together: give both, or neither")
        open_ones = [each for each in self.http if not is_loopback(parse_host_port(each, HTTP_PORT).host)]
        if open_ones and not self.https and not self.plain_http:
            host = parse_host_port(open_ones[0], HTTP_PORT).host
            raise ValueError(
                f"http: on {open_ones[0]} passwords would cross the network in the clear; right would be"
                f" --https {HostPort(host=host, port=HTTPS_PORT)} (plain HTTP then leads there),"
                " or --plain-http where the network is trusted"
            )
        return self

    @property
    def limits(self) -> dict[str, int]:
        """What initiators may take of each data process (docs/limits.md). Memory is divided, down to what one needs."""
        names = ("sessions", "target_sessions", "initiator_sessions", "address_connections")
        memory_mib = max(MEMORY_MIB_MIN, self.memory_mib // self.data_processes)
        return {name: getattr(self, name) for name in names} | {"memory_mib": memory_mib}

    @property
    def http_addresses(self) -> tuple[HostPort, ...]:
        """Where HTTP is served."""
        return tuple(parse_host_port(each, HTTP_PORT) for each in self.http)

    @property
    def portals(self) -> tuple[HostPort, ...]:
        """Where iSCSI is served, each with its own port."""
        return tuple(parse_host_port(each, ISCSI_PORT) for each in self.portal)


def _address(text: str, default_port: int) -> HostPort:
    try:
        return parse_host_port(text, default_port)
    except InvalidError as error:
        raise ValueError(error.problems[0].message) from None


def load_settings(given: Mapping[str, Any], config: Path | None = None) -> Settings:
    """The settings; `given` are those of the command line, `config` a TOML file. Raises SettingsError."""

    class FromEverywhere(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            file = () if config is None else (TomlConfigSettingsSource(settings_cls, config),)
            return (init_settings, env_settings, *file)

    if config is not None and not config.is_file():
        raise SettingsError(f"there is no file {config}")
    try:
        loaded = FromEverywhere(**given)
    except ValidationError as error:
        problems = "; ".join(
            ": ".join(filter(None, (".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, "))))
            for each in error.errors(include_input=False, include_url=False)
        )
        raise SettingsError(problems) from None
    except ValueError as error:
        raise SettingsError(f"{config}: {error}") from None
    return Settings.model_construct(**loaded.model_dump())
