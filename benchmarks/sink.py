"""A mail server that throws everything away: `python -m benchmarks.sink SOCKET SECONDS`."""

import asyncio
import logging
import sys
from functools import partial

from aiosmtpd.smtp import SMTP, Envelope, Session


class _Sink:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def handle_DATA(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802 - the library's name
        await asyncio.sleep(self._seconds)
        return "250 Gone"


async def main(socket: str, seconds: float) -> None:
    """Take mails, each after so many seconds, until killed."""
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(partial(SMTP, _Sink(seconds)), socket)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
