"""The embedded database's address, for drivers that read no libpq password file."""

from pathlib import Path
from urllib.parse import urlencode

from psycopg.conninfo import conninfo_to_dict


def password(database_url: str) -> str:
    """The password: of the only line of the libpq password file that the address names."""
    passfile = conninfo_to_dict(database_url).get("passfile")
    if passfile is None:
        return ""
    return Path(str(passfile)).read_text("utf-8").rstrip("\n").rpartition(":")[2]


def with_password(database_url: str) -> str:
    """The address with its password in it, and its socket as a parameter."""
    where = conninfo_to_dict(database_url)
    socket = urlencode({"host": str(where["host"])})
    return f"postgresql://{where['user']}:{password(database_url)}@/{where['dbname']}?{socket}"
