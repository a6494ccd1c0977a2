"""What `lunaport top` adds up and draws."""

from typing import Any

from rich.console import Console

from lunaport.cli.top import drawn, screen, summed


def session(target: str, read: float, written: float = 0.0) -> dict[str, Any]:
    rates = {"commands": 2.0, "bytes_read": read, "bytes_written": written}
    return {"target": target, "outstanding": 1, "rates": rates}


def test_sessions_of_a_target_are_added_and_the_busiest_comes_first() -> None:
    rows = summed([session("a", 1), session("b", 5), session("a", 1, 1), session("", 9)])
    assert [(row["target"], row["sessions"], row["bytes_read"]) for row in rows] == [("b", 1, 5), ("a", 2, 2)]
    assert rows[1] == {
        "target": "a", "sessions": 2, "outstanding": 2, "commands": 4.0, "bytes_read": 2.0, "bytes_written": 1.0,
    }  # fmt: skip


def test_keys_sort_and_only_what_fits_is_drawn() -> None:
    rows = summed([session("a", 1, 9), session("b", 5), session("c", 3)])
    console = Console(width=200)

    def names(sort: str, height: int = 30) -> list[str]:
        with console.capture() as capture:
            console.print(screen(rows, "", sort, height))
        lines = capture.get().splitlines()
        assert len(lines) <= height
        return [line.split()[0] for line in lines[1:-3]]

    assert names("b") == ["a", "b", "c"]
    assert names("r") == ["b", "c", "a"]
    assert names("w") == ["a", "b", "c"]
    assert names("n", height=6) == ["a", "b"]
    with console.capture() as capture:
        console.print(screen(rows, "gone; trying again", "b", 5))
    assert "all, 2 more not shown" in capture.get()
    assert capture.get().splitlines()[-1].startswith("gone; trying again")


def test_the_table_has_the_sum_below_and_no_control_characters() -> None:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(drawn(summed([session("a\x1b[31m", 2048), session("b", 1024)])))
    text = capture.get()
    assert "\x1b" not in text
    assert "3 KiB" in text.splitlines()[-1]
