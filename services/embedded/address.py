"""Where PostgreSQL and NATS are, embedded or external."""

from services.embedded.datadir import DataDir
from services.embedded.nats import nats_url
from services.embedded.postgres import database_url
from services.settings import Settings


def resolved(settings: Settings) -> Settings:
    """The same settings with the addresses of the embedded servers where no external ones are."""
    return settings.model_copy(
        update={
            "database_url": settings.database_url or database_url(DataDir(settings.data_dir)),
            "nats_url": settings.nats_url or nats_url(settings.nats_port),
        }
    )
