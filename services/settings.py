"""Settings: the variables `CPOR_*`, read here and nowhere else."""

import os
import re
from collections.abc import Iterable
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from unicodedata import category
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.text import Email

CHECKOUT = Path(__file__).resolve().parent.parent
"""The folder that holds the packages, `policies/` and the default data directory."""

PREFIX = "CPOR_"

_FROM_FILE = ("database_url", "nats_url", "oidc_client_secret", "smtp_url")
"""What may also come from a file named by `CPOR_<NAME>_FILE`, as containers hand over secrets."""

_HIGHEST_PORT = 65535
_LONGEST_NAME = 60
"""Characters of the programme's name, which stands beside the address of every mail."""
_OF_OIDC = ("oidc_issuer", "oidc_client_id", "oidc_client_secret")
"""What signing in at an identity provider needs."""

_UNNAMEABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode's categories of what not every server takes in the path of a folder."""
_REACHABLE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked for, not listened on
"""Where an address is reached that stands for all of a machine's."""


class SettingsError(Exception):
    """A variable is unknown or its value wrong; the text is one sentence for whoever set it."""


def _own_address(values: dict[str, Any]) -> str:
    host, port = values.get("http_host", ""), values.get("http_port", 0)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _fitting_auth(values: dict[str, Any]) -> Literal["dev", "oidc"]:
    is_dev = is_loopback(values.get("http_host", "")) or values.get("dev_auth_anywhere")
    return "dev" if is_dev else "oidc"


def _own_mail_address(values: dict[str, Any]) -> str:
    host = urlsplit(str(values.get("public_url", ""))).hostname or ""
    return f"cpor@{host if '.' in host and not _is_address(host) else 'localhost.localdomain'}"


def _own_client_id(values: dict[str, Any]) -> str:
    client_id: str = values.get("oidc_client_id", "")
    return client_id


class Settings(BaseSettings):
    """What can be set from outside. An empty variable counts as one that is not set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True
    )

    data_dir: Path = CHECKOUT / ".cpor"
    """Everything that the embedded servers and the document store keep; always absolute."""
    http_host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    http_port: Annotated[int, Field(ge=1, le=65535)] = 8000
    public_url: str = Field(default_factory=_own_address)
    """Base of links in mails and of where people come back to from the identity provider; without
    a slash at its end."""
    nats_port: Annotated[int, Field(ge=1, le=65535)] = 4222
    nats_sync: Literal["always", "interval"] = "always"
    nats_url: Annotated[str, Field(repr=False)] = ""
    """An external nats-server, or several with commas between; empty: the embedded one."""
    database_url: Annotated[str, Field(repr=False)] = ""
    """An external PostgreSQL, `postgresql://…`; empty: the embedded one."""
    policy: str = "seed-2021"
    """The name of a profile in `policies/`."""
    time_zone: str | None = None
    """IANA name; None: the profile's own."""
    holidays: str | None = None
    """ISO country code; None: the profile's own."""
    clock: Literal["system", "simulated"] = "system"
    dev_auth_anywhere: bool = False
    auth: Literal["dev", "oidc"] = Field(default_factory=_fitting_auth)
    oidc_issuer: str = ""
    """The identity provider, exactly as it calls itself."""
    oidc_client_id: str = ""
    oidc_client_secret: Annotated[str, Field(repr=False)] = ""
    oidc_audience: str = Field(default_factory=_own_client_id)
    """Whom bearer tokens must be meant for."""
    oidc_role_claim: str = "cpor_role"
    """Which claim of a token names the role; dots lead into objects."""
    oidc_org_claim: str = "cpor_org"
    oidc_id_claim: str = "sub"
    rate_limit: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """How many times as often as by default somebody may ask the web; 0: as often as they like."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    smtp_url: Annotated[str, Field(repr=False)] = ""
    """Where mails go, `smtp://`, `smtps://` or `unix:/path`; empty: the embedded mailbox."""
    mail_from: Email = Field(default_factory=_own_mail_address)
    """Whom mails are from; what can't be delivered comes back there."""
    programme: str = ""
    """What the programme is called, in mails and on customers' pages; empty: "Partner associations"
    in the reader's language."""
    reviewers_email: Email | Literal[""] = ""
    """Where reviewers read; empty: nowhere, but that the embedded mailbox has an address."""
    reviewers_pause: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 900.0
    """Seconds between two mails to reviewers, at least: what comes meanwhile is told together."""
    mails_an_hour: Annotated[int, Field(ge=0)] = 60
    """To one address, at most: what is more waits; 0: no limit."""
    language: Literal["en", "tr"] = "en"
    clamd: str = ""
    """The virus scanner for uploads, `host:port` or `unix:/path`; empty: none."""

    @property
    def reachable_host(self) -> str:
        """Where this machine reaches what listens on `http_host`."""
        return _REACHABLE.get(self.http_host, self.http_host)

    @property
    def mailbox(self) -> str:
        """The socket of the embedded mailbox; empty when mails go to another server."""
        prefix = "unix:"
        return self.smtp_url.removeprefix(prefix) if self.smtp_url.startswith(prefix) else ""

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        try:
            absolute = folder.expanduser().resolve()
        except RuntimeError as error:  # links in a circle, or nobody's ~name
            raise ValueError("a path that leads somewhere") from error
        if any(category(letter) in _UNNAMEABLE for letter in str(absolute)):
            raise ValueError("a path in UTF-8 without line breaks and control characters")
        return absolute

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, level: object) -> object:
        return level.lower() if isinstance(level, str) else level

    @field_validator("policy")
    @classmethod
    def _profile(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
            raise ValueError("the name of a profile in policies/")
        return name

    @field_validator("holidays")
    @classmethod
    def _country(cls, code: str | None) -> str | None:
        if code is not None and not re.fullmatch(r"[A-Z]{2}", code):
            raise ValueError("an ISO country code such as TR")
        return code

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, url: str) -> str:
        return _with_scheme(url, "http", "https").rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _postgresql(cls, url: str) -> str:
        return _with_scheme(url, "postgresql", "postgres") if url else url

    @field_validator("nats_url")
    @classmethod
    def _nats(cls, urls: str) -> str:
        for url in filter(None, urls.split(",")):
            _with_scheme(url, "nats", "tls", "ws", "wss")
        return urls

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, url: str) -> str:
        if not url or url.startswith("unix:/"):
            return url
        if not _is_mail_server(url.strip()):
            raise ValueError("smtp://host, smtps://host or unix:/path")
        return url.strip()

    @field_validator("programme")
    @classmethod
    def _name(cls, name: str) -> str:
        name = name.strip()
        if len(name) > _LONGEST_NAME or not name.isprintable():
            raise ValueError(f"one printable line, at most {_LONGEST_NAME} characters")
        return name

    @field_validator("clamd")
    @classmethod
    def _scanner(cls, address: str) -> str:
        host, _, port = address.rpartition(":")
        is_socket = address.startswith("unix:/")
        is_port = bool(host) and port.isdecimal() and 0 < int(port) <= _HIGHEST_PORT
        if address and not is_socket and not is_port:
            raise ValueError("host:port or unix:/path")
        return address

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer(cls, url: str) -> str:
        parts = urlsplit(url)
        host = parts.hostname or ""
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
        if url and not (is_safe and host and not parts.query and not parts.fragment):
            raise ValueError("an address that begins with https://, without ? and #")
        return url

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.auth == "oidc":
            self._require_identity_provider()
        elif not (is_loopback(self.http_host) or self.dev_auth_anywhere):
            raise SettingsError(
                "CPOR_AUTH=dev lets every caller name itself, so cpor refuses CPOR_HTTP_HOST="
                f"{self.http_host}, which is not a loopback address: set "
                "CPOR_DEV_AUTH_ANYWHERE=yes if you mean it."
            )
        return self

    def _require_identity_provider(self) -> None:
        missing = [_variable(field) for field in _OF_OIDC if not getattr(self, field)]
        if not is_loopback(self.http_host) and "public_url" not in self.model_fields_set:
            missing.append(_variable("public_url"))
        if missing:
            raise SettingsError(
                "CPOR_AUTH=oidc, which is the default on an address that is not loopback, needs "
                f"{', '.join(missing)}: people sign in at an identity provider."
            )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.http_port == self.nats_port and not self.nats_url:
            raise SettingsError(
                f"CPOR_HTTP_PORT and CPOR_NATS_PORT are both {self.http_port}: set one of them to "
                "another port."
            )
        return self


def load() -> Settings:
    """Read this process's settings from its environment.

    Raises SettingsError for an unknown `CPOR_*` variable, also one in lower case, which pydantic
    would read, and for a wrong value.
    """
    given = {name for name, value in os.environ.items() if _is_ours(name) and value}
    _require_known(given)
    secrets: dict[str, Any] = {}
    for field in _FROM_FILE:
        variable, file = _variable(field), f"{_variable(field)}_FILE"
        if {variable, file} <= given:
            raise SettingsError(f"Both {variable} and {file} are set: only one may be.")
        if file in given:
            secrets[field] = _content(file, Path(os.environ[file]))
    try:
        return Settings(**secrets)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from error


def child_environment(settings: Settings) -> dict[str, str]:
    """The environment of a process that is to run with exactly these settings."""
    own = {
        _variable(name): str(value)
        for name, value in settings.model_dump().items()
        if value not in (None, "")
    }
    return {name: text for name, text in os.environ.items() if not _is_ours(name)} | own


def _variable(field: str) -> str:
    return PREFIX + field.upper()


def _is_ours(name: str) -> bool:
    """Whether somebody who set this variable meant cpor, in whatever case."""
    return name.upper().startswith(PREFIX)


def _require_known(names: Iterable[str]) -> None:
    known = [_variable(field) for field in Settings.model_fields]
    known += [f"{_variable(field)}_FILE" for field in _FROM_FILE]
    for name in sorted(names):
        if name not in known:
            near = get_close_matches(name.upper(), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
            raise SettingsError(f"{name} is not a variable of cpor: {hint}")


def _content(variable: str, file: Path) -> str:
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{variable} names a file that can't be read: {error}.") from error


def _with_scheme(url: str, *schemes: str) -> str:
    if urlsplit(url.strip()).scheme not in schemes:
        raise ValueError(f"an address that begins with {' or '.join(f'{s}://' for s in schemes)}")
    return url.strip()


def _is_mail_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # neither a port nor an address is written so
        return False
    rest = parts.path or parts.query or parts.fragment
    return parts.scheme in {"smtp", "smtps"} and bool(parts.hostname) and port != 0 and not rest


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, as it calls itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _sentence(error: ValidationError) -> str:
    """What is wrong with the first wrong variable; never a value that may hold a password."""
    wrong = error.errors()[0]
    field = str(wrong["loc"][0])
    shown = Settings.model_fields[field].repr
    expected = wrong["msg"]
    for beginning in ("Value error, ", "Input should be ", "must be "):
        expected = expected.removeprefix(beginning)
    value = f", not {wrong['input']!r}" if shown else ""
    return f"{_variable(field)} must be {expected}{value}."
