"""Logging: structured lines, without secrets."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from services.log import blanked

PROGRAM = """
import logging
import structlog
from services import log

log.configure("info")
structlog.get_logger("services.relay").info("starting", url="nats://cpor:s3cret@broker:4222")
structlog.get_logger("services.relay").debug("not shown")
logging.getLogger("library").warning("connecting with %s", "password=s3cret host=db")
try:
    raise ValueError("postgresql://cpor:s3cret@db/cpor")
except ValueError:
    structlog.get_logger("services.relay").exception("failed")
"""


def test_lines_are_json_and_hold_no_password() -> None:
    """Ours and the libraries' lines, and the text of exceptions."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )

    assert run.stdout == b""
    assert b"s3cret" not in run.stderr
    lines = [json.loads(line) for line in run.stderr.splitlines()]
    assert [(line["level"], line["logger"], line["event"]) for line in lines] == [
        ("info", "services.relay", "starting"),
        ("warning", "library", "connecting with password=*** host=db"),
        ("error", "services.relay", "failed"),
    ]
    assert lines[0]["url"] == "nats://cpor:***@broker:4222"
    assert "postgresql://cpor:***@db/cpor" in lines[2]["exception"]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("postgresql://a:b@h/d", "postgresql://a:***@h/d"),
        ("nats://:b@h,nats://a:c@i", "nats://:***@h,nats://a:***@i"),
        ("nats://a:p@ss@h:1", "nats://a:***@h:1"),
        ("host=h password='a b' user=u", "host=h password=*** user=u"),
        ("http://h:80/a@b", "http://h:80/a@b"),
        ("no secret: here", "no secret: here"),
    ],
)
def test_passwords_are_blanked_and_nothing_else(text: str, safe: str) -> None:
    """In addresses and in connection strings."""
    assert blanked(text) == safe
