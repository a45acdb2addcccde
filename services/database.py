"""How every long-lived connection to PostgreSQL notices that the server is gone without a word."""

from types import MappingProxyType
from typing import Final

KEEPALIVES: Final = MappingProxyType(
    {
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }
)
"""Parameters of libpq: silence counts as an end after about ten seconds."""
