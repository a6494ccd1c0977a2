"""Every command of the command line against a real NAS, once as a table for people and once as JSON for scripts.

The commands are those of the program: one that is not in the list below fails the test.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lunaport.runtime.main import app
from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import PASSWORD as ADMIN
from tests.system.nas import Nas
from tests.unit.cli.test_documentation import WITHOUT_JSON, nodes

PASSWORD = "password-of-carol"
COMMANDS: tuple[tuple[str, str, tuple[str, object]], ...] = (
    # The command, what follows it, and what its table and its JSON have to hold: a text and a name of a field or item.
    ("target new-secret", "", ("", "secret")),
    ("volume create", "fast {folder}/fast --overcommit 3", ("3 times its size", "path")),
    ("volume edit", "fast --low-space 5", ("below 5 % free", "low_space_percent")),
    ("volume list", "", ("fast", "overcommit_factor")),
    ("volume show", "fast", ("name             fast", "usage")),
    ("target create", "disk --size 64M --volume fast", ("iqn.2026-11.io.lunaport:disk", "luns")),
    ("target list", "", ("64 MiB", "name")),
    ("target show", "disk", ("told to iSNS", "chap")),
    ("target grow", "disk +32M", ("96 MiB", "luns")),
    ("target edit", "disk --iops 500", ("commands a second  500", "limits")),
    ("target lun add", "disk 8M --lun 1", ("LUN              1", "size_bytes")),
    ("target lun edit", "disk 1 --read-only", ("read-only", "read_only")),
    ("target lun list", "disk", ("read-only", "items")),
    ("image upload", "cd.iso", ("cd.iso is in volume default", "size_bytes")),
    ("image list", "", ("cd.iso", "items")),
    ("target lun add", "disk --cdrom --lun 2", ("CD-ROM drive", "image")),
    ("target lun insert", "disk 2 cd.iso", ("loaded     yes", "loaded")),
    ("target lun eject", "disk 2", ("loaded     no", "loaded")),
    ("target lun remove", "disk 2 --yes", ("Removed LUN 2", None)),
    ("image delete", "cd.iso --yes", ("Removed cd.iso", None)),
    ("target rule add", "disk --network 127.0.0.0/8", ("127.0.0.0/8", "networks")),
    ("target rule list", "disk", ("NUMBER", "initiators")),
    ("target rule remove", "disk 1 --yes", ("There are no rules", [])),
    ("target chap-user set", "disk bob --secret-file secret.txt", ("bob", "credentials")),
    ("target chap-user list", "disk", ("bob", "credentials")),
    ("target chap-user remove", "disk bob", ("There are no CHAP users", "credentials")),
    ("connect", "disk", ("iscsiadm", "key")),
    ("session list", "--target open", ("iqn.2026-11.io.lunaport:open", "negotiated")),
    ("session show", "{session}", ("HeaderDigest", "latency")),
    ("top", "{once}", ("iqn.2026-11.io.lunaport:open", "commands")),
    ("session close", "{session} --wait 30", ("Closed session", None)),
    ("login failures", "", ("No login was refused", [])),
    ("initiator block", "iqn.2026-11.test:bad --until 2h", ("is kept out until", "until")),
    ("initiator blocked", "", ("iqn.2026-11.test:bad", "initiator")),
    ("initiator unblock", "iqn.2026-11.test:bad", ("may log in again", None)),
    ("target drain", "disk --wait 10", ("is being drained", "draining")),
    ("target drain", "disk --undo", ("lets initiators in", "draining")),
    ("service drain", "--wait 10", ("is being drained", "draining")),
    ("service drain", "--undo", ("lets initiators in", "draining")),
    ("service show", "", ("enabled", "portals")),
    ("service edit", "--enabled --wait 30", ("listens", "discovery")),
    ("portal list", "", ("listens", "items")),
    ("portal add", "127.0.0.77:{port} --wait 30", ("in group 1 listens", "listening")),
    ("portal edit", "127.0.0.77:{port} --group 2", ("in group 2 listens", "group")),
    ("portal remove", "127.0.0.77:{port}", ("does not listen any more", None)),
    ("portal reset", "", ("serve --portal again", "items")),
    ("user create", "carol --role operator --new-password-file password.txt", ("operator", "role")),
    ("user edit", "carol --role viewer", ("viewer", "role")),
    ("user list", "", ("carol", "role")),
    ("user me", "", ("admin", "way")),
    ("user password", "--new-password-file password.txt", ("carol has another password", None)),
    ("user delete", "carol --yes", ("Removed carol", None)),
    ("token create", "script --role viewer", ("", "token")),
    ("token list", "", ("script", "expires_at")),
    ("token delete", "script", ("Removed token script", None)),
    ("audit list", "--action create_target", ("create_target", "outcome")),
    ("audit export", "audit.file", ("", "")),
    ("config show", "", ("version: 1", "targets")),
    ("config export", "nas.backup --passphrase-file passphrase.txt", ("", "")),
    ("config import", "nas.backup --passphrase-file passphrase.txt --plan", ("Would restore", "applied")),
    ("apply", "-f all.yaml --plan", ("Nothing to do", "steps")),
    ("target export", "disk", ("name: iqn.2026-11.io.lunaport:disk", "targets")),
    ("target import", "one.yaml", ("Nothing to do", "steps")),
    ("target delete", "disk --yes", ("Deleted iqn.2026-11.io.lunaport:disk", None)),
    ("target trash", "", ("iqn.2026-11.io.lunaport:disk", "deleted_at")),
    ("target restore", "disk", ("iqn.2026-11.io.lunaport:disk", "luns")),
    ("target delete", "disk --yes", ("Deleted", None)),
    ("volume delete", "fast --yes", ("Forgot the volume fast", None)),
)
SERVER = {"serve", "doctor"}
"""They run where the NAS does and have tests of their own: all system tests, and `test_doctor.py`."""


def test_no_command_is_left_out() -> None:
    assert {words for words, _, _ in COMMANDS} == set(nodes()) - SERVER


class Desk:
    """Somebody who types all commands, one after the other."""

    def __init__(self, nas: Nas, folder: Path, *, as_json: bool) -> None:
        self.nas = nas
        self.folder = folder
        self.as_json = as_json
        self.session = ""
        for name, text in {
            "secret.txt": "bobs-secret-12", "password.txt": PASSWORD, "passphrase.txt": "quite another horse",
        }.items():  # fmt: skip
            (folder / name).write_text(f"{text}\n")
        (folder / "cd.iso").write_bytes(bytes(64 * 2048))

    def type(self, words: str, rest: str) -> str:
        """Type a command; what it prints."""
        once = "" if self.as_json else "--once"
        rest = rest.format(folder=self.folder, session=self.session, once=once, port=self.nas.port)
        if words in ("apply", "target import"):
            source, name = (("config", "show"), "all") if words == "apply" else (("target", "export", "disk"), "one")
            (self.folder / f"{name}.yaml").write_text(self.run(source))
        more = ("--json",) if self.as_json and words not in WITHOUT_JSON else ()
        carol = {"LUNAPORT_USER": "carol", "LUNAPORT_PASSWORD": PASSWORD} if words == "user password" else {}
        return self.run((*words.split(), *rest.split(), *more), **carol)

    def run(self, words: Sequence[str], **variables: str) -> str:
        """Run the program in this process, which is quicker a hundred times; what it prints."""
        own = {"LUNAPORT_URL": str(self.nas.client.base_url), "LUNAPORT_PASSWORD": ADMIN, "HOME": str(self.folder)}
        done = CliRunner().invoke(app, list(words), env=own | {"XDG_CONFIG_HOME": "", "LUNAPORT_TOKEN": ""} | variables)
        assert done.exit_code == 0, f"lunaport {' '.join(words)}\n{done.output}{done.exception!r}"
        return done.stdout

    def check(self, words: str, printed: str, text: str, field: object) -> None:
        """A table holds the text; JSON is nothing else, and holds the field, in the first item of a list."""
        if not self.as_json or words in WITHOUT_JSON:
            assert text in printed, f"{words}: {printed}"
            return
        document: Any = json.loads(printed)
        if field is None:
            assert document == {}, words
        elif isinstance(field, list):
            assert document == field, words
        else:
            first = document[0] if isinstance(document, list) else document
            assert field in first, f"{words}: {printed}"


@pytest.mark.parametrize("as_json", [False, True], ids=["table", "json"])
def test_every_command(start_nas: StartNas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_json: bool) -> None:
    monkeypatch.chdir(tmp_path)
    nas = start_nas()
    nas.secrets_given |= {"bobs-secret-12", PASSWORD, "quite another horse"}
    share = nas.create("open", size="1M")
    desk = Desk(nas, tmp_path, as_json=as_json)
    with Initiator(share.host, share.port, target=share.iqn, timeout_s=60) as initiator:
        assert initiator.ready().status == 0
        (found,) = nas.sessions(share)
        desk.session = found["id"]
        for words, rest, (text, field) in COMMANDS:
            desk.check(words, desk.type(words, rest), text, field)
    lines = [*(tmp_path / "audit.file").read_text().splitlines(), (tmp_path / "nas.backup").read_text()]
    assert all(isinstance(json.loads(line), dict) for line in lines)
