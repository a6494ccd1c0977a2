"""Host names to addresses, in a thread that nobody waits for.

The event loop's own way keeps its thread until the resolver gives up, which can take half a minute, and the process
waits for that thread when it ends.
"""

import asyncio
import contextlib
import ipaddress
import socket
import threading


async def resolve(host: str) -> list[str]:
    """The IP addresses of a host name, in the system's order; an address is its own. Raises OSError."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def tell(addresses: list[str], error: OSError | None) -> None:
        if found.done():
            return
        if error is None:
            found.set_result(addresses)
        else:
            found.set_exception(error)

    def work() -> None:
        addresses: list[str] = []
        error: OSError | None = None
        try:
            answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(each[4][0]) for each in answers))
        except OSError as refused:
            error = refused
        except UnicodeError:
            error = OSError(f"{host!r} cannot be a host name")
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, addresses, error)

    threading.Thread(target=work, name="isns-resolve", daemon=True).start()
    return await found
