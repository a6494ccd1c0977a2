"""Settings: where they come from, who wins, and what is told about wrong ones."""

from pathlib import Path

import pytest

from lunaport.engine.embedded.limits import DataLimits
from lunaport.model.address import HostPort
from lunaport.runtime.settings import DATA_PROCESSES_MAX, SettingsError, load_settings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing from outside."""
    for name in (
        "DATA_DIR",
        "HTTP",
        "HTTPS",
        "PLAIN_HTTP",
        "PORTAL",
        "IQN_PREFIX",
        "TRASH_DAYS",
        "LOG_LEVEL",
        "LOG_FORMAT",
    ):
        monkeypatch.delenv(f"LUNAPORT_{name}", raising=False)


def test_defaults() -> None:
    settings = load_settings({})
    assert settings.data_dir == Path("/var/lib/lunaport")
    assert settings.http_addresses == (HostPort(host="127.0.0.1", port=8080),)
    assert settings.portals == (HostPort(host="127.0.0.1", port=3260),)
    assert (settings.log_level, settings.log_format, settings.trash_days) == ("info", "text", 14)
    assert settings.iqn_prefix == "iqn.2026-11.io.lunaport"


def test_the_command_line_wins_over_variables_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "lunaport.toml"
    file.write_text('data_dir = "/file"\nlog_level = "error"\nportal = ["192.0.2.1", "[::1]:99"]\n')
    monkeypatch.setenv("LUNAPORT_LOG_LEVEL", "warning")
    monkeypatch.setenv("LUNAPORT_DATA_DIR", "/variable")
    settings = load_settings({"data_dir": Path("/line")}, file)
    assert (settings.data_dir, settings.log_level) == (Path("/line"), "warning")
    assert settings.portal == ("192.0.2.1:3260", "[::1]:99")


def test_lists_in_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNAPORT_HTTP", "127.0.0.1:1, [::1]")
    assert load_settings({}).http == ("127.0.0.1:1", "[::1]:8080")


def test_the_password_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNAPORT_ADMIN_PASSWORD", "not-shown-anywhere")
    assert "not-shown" not in repr(load_settings({}))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"http": ("nonsense:x",)}, "http: 'nonsense:x' has no port"),
        ({"portal": ()}, "portal: "),
        ({"portal": ("1.2.3",)}, "portal: '1.2.3' is not an IP address"),
        ({"log_level": "loud"}, "log_level: "),
        ({"iqn_prefix": "lunaport"}, "iqn_prefix: is not iqn."),
        ({"trash_days": -1}, "trash_days: "),
        ({"http": ("192.0.2.1",)}, "http: on 192.0.2.1:8080 passwords would cross the network in the clear"),
        ({"http": ("nas.example.org",)}, "right would be --https nas.example.org:8443"),
        ({"https": ("[::1]:x",)}, "https: '[::1]:x' has no port"),
        ({"https": ("::1",), "https_key": Path("k")}, "https_certificate and https_key belong together"),
        ({"sessions": 0}, "sessions: "),
        ({"target_sessions": 32769}, "target_sessions: "),
        ({"memory_mib": 63}, "memory_mib: "),
        ({"http_requests_per_s": -1}, "http_requests_per_s: "),
        ({"data_silence_s": 4.9}, "data_silence_s: is less than 5; right would be 0 for never, or more"),
        ({"control_silence_s": 1e6}, "control_silence_s: "),
    ],
)
def test_wrong_ones(given: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(given)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["color = 1\n", "not toml"])
def test_a_wrong_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "lunaport.toml"
    file.write_text(text)
    with pytest.raises(SettingsError):
        load_settings({}, file)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no file"):
        load_settings({}, tmp_path / "missing.toml")


def test_plain_http_beyond_this_machine() -> None:
    assert load_settings({"http": ("192.0.2.1",), "plain_http": True}).http == ("192.0.2.1:8080",)
    assert load_settings({"http": ("192.0.2.1",), "https": ("192.0.2.1",)}).https == ("192.0.2.1:8443",)
    assert load_settings({"http": ("localhost", "::1", "127.8.0.1")}).plain_http is False


def test_the_limits_of_the_data_process_have_the_same_defaults_there() -> None:
    given = load_settings({"data_processes": 1}).limits
    assert DataLimits(**given) == DataLimits()
    assert set(given) == set(DataLimits.__struct_fields__)


@pytest.mark.parametrize(
    ("total", "processes", "each"),
    [(256, 1, 256), (256, 2, 128), (256, 4, 64), (256, 5, 64), (64, 2, 64), (1000, 3, 333)],
)
def test_memory_is_divided_among_the_data_processes_down_to_what_one_needs(
    total: int, processes: int, each: int
) -> None:
    assert load_settings({"memory_mib": total, "data_processes": processes}).limits["memory_mib"] == each


@pytest.mark.parametrize(
    ("value", "taken"), [(0, False), (1, True), (DATA_PROCESSES_MAX, True), (DATA_PROCESSES_MAX + 1, False)]
)
def test_the_number_of_data_processes(value: int, taken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNAPORT_DATA_PROCESSES", str(value))
    if taken:
        assert load_settings({}).data_processes == value
    else:
        with pytest.raises(SettingsError, match="data_processes"):
            load_settings({})
