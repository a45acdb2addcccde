"""Logging of every process: structured lines on stderr, never a password.

For people on a terminal, JSON elsewhere.
"""

import logging
import re
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_LOGIN = re.compile(r"(://[^:/@\s]*:)[^/,\s]+@")
_PASSWORD = re.compile(r"(password\s*=\s*)('[^']*'|\S+)", re.IGNORECASE)


def configure(level: str = "info") -> None:
    """Set up this process's logging, the libraries' included; `level` is a name such as `info`."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    output: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        without_secrets,
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer(),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=output)
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # few lines are logged, and levels can change
    )


def without_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank passwords in addresses and connection strings, wherever they turn up."""
    return {name: blanked(each) if isinstance(each, str) else each for name, each in event.items()}


def blanked(text: str) -> str:
    """`text` without the passwords of addresses and connection strings in it."""
    return _PASSWORD.sub(r"\1***", _LOGIN.sub(r"\1***@", text))
