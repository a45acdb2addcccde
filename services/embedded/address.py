"""Where PostgreSQL, NATS and the mail server are, embedded or external."""

from typing import Any

from services.embedded.datadir import DataDir
from services.embedded.nats import nats_url
from services.embedded.postgres import database_url
from services.settings import Settings

_OF_THE_MAILBOX: dict[str, Any] = {
    "reviewers_email": "reviewers@cpor.example",
    "reviewers_pause": 5.0,
    "mails_an_hour": 0,
}
"""What holds for the embedded mailbox unless it is set: nobody is bothered there."""


def resolved(settings: Settings) -> Settings:
    """The same settings with the addresses of the embedded servers where no external ones are."""
    datadir = DataDir(settings.data_dir)
    update: dict[str, Any] = {
        "database_url": settings.database_url or database_url(datadir),
        "nats_url": settings.nats_url or nats_url(settings.nats_port),
    }
    if not settings.smtp_url:
        given = settings.model_fields_set
        update |= {name: value for name, value in _OF_THE_MAILBOX.items() if name not in given}
        update["smtp_url"] = f"unix:{datadir.mailbox}"
    return settings.model_copy(update=update)
