"""Who makes, grows and deletes disks while something fails, and remembers what the NAS confirmed."""

import random
import threading
import time

import httpx

from tests.system.nas import SHARES, Nas

MIB = 1 << 20
DISKS_MAX = 8
RETRY_S = 0.05


class Administrator(threading.Thread):
    """Works until `stop`. A change that was not answered may have been made or not; it is looked up before the next."""

    def __init__(self, nas: Nas) -> None:
        super().__init__(daemon=True)
        self.nas = nas
        self.random = random.Random(1)
        self.sizes: dict[str, int] = {}
        """What is confirmed to be there: name to bytes."""
        self.ids: dict[str, int] = {}
        self.confirmed = 0
        self.unanswered = 0
        self.made = 0
        self.enough = threading.Event()
        self.crash: BaseException | None = None

    def run(self) -> None:
        """Change something, again and again; a NAS that is away is asked again."""
        try:
            with httpx.Client(
                base_url=self.nas.client.base_url, auth=self.nas.client.auth, timeout=30, trust_env=False
            ) as client:
                while not self.enough.is_set():
                    self._change(client)
        except BaseException as error:  # it is told to who waits for this thread
            self.crash = error
            raise

    def _change(self, client: httpx.Client) -> None:
        names = sorted(self.sizes)
        if not names or (len(names) < DISKS_MAX and self.random.random() < 0.5):
            self.made += 1
            name, size, method = f"made-{self.made}", MIB, "POST"
            body: dict[str, object] = {"target": name, "size": "1M"}
        elif self.random.random() < 0.5:
            name, method = self.random.choice(names), "PUT"
            size = self.sizes[name] + MIB
            body = {"id": self.ids[name], "size": str(size)}
        else:
            name, size, method = self.random.choice(names), 0, "DELETE"
            body = {"id": self.ids[name]}
        try:
            response = client.request(method, SHARES, json=body)
        except httpx.TransportError:
            self.unanswered += 1
            self._look_up(client, name)
            return
        if response.status_code == 200:
            self.confirmed += 1
            self._note(name, size, response.json()["id"])
        else:
            assert response.status_code in (500, 503), f"{method} {name}: {response.status_code} {response.text}"
            self._look_up(client, name)

    def _look_up(self, client: httpx.Client, name: str) -> None:
        """What became of a change that nobody confirmed: all of it or nothing, which `verify` sees to."""
        while True:
            try:
                response = client.get(SHARES)
                if response.status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(RETRY_S)
        for share in response.json():
            if share["target"].endswith(f":{name}"):
                self._note(name, int(share["size"]), share["id"])
                return
        self._note(name, 0, 0)

    def _note(self, name: str, size: int, share_id: int) -> None:
        if size:
            self.sizes[name], self.ids[name] = size, share_id
        else:
            self.sizes.pop(name, None)

    def stop(self) -> None:
        """Change no more."""
        self.enough.set()
        self.join(120)
        assert not self.is_alive(), "the administrator hangs"
        assert self.crash is None, self.crash

    def verify(self, others: set[str]) -> str:
        """What is confirmed is there, nothing else is, and each has its one file; `others`: shares beside its own."""
        shares = {share["target"].rpartition(":")[2]: int(share["size"]) for share in self.nas.shares()}
        assert {name: size for name, size in shares.items() if name not in others} == self.sizes
        files = [path for path in self.nas.files() if path.suffix == ".img"]
        assert len(files) == len(shares), f"{len(files)} files of {len(shares)} shares"
        assert self.confirmed > 0
        return (
            f"{self.confirmed} changes of the configuration confirmed, {self.unanswered} not answered,"
            " each made as a whole or not at all"
        )
