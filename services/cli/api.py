"""The HTTP API as the command line asks it: an answer, or one sentence and the end."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NoReturn, Self

import httpx
import typer

from domain.actor import Actor
from services.cli.actor import READER, WrongActor, header, parse
from services.cli.ending import ExitCode, end
from services.settings import Settings, load

_PATIENCE = 15.0
"""Seconds for an answer; the longest that the API itself waits for anything is shorter."""


def reader(text: str | None) -> Actor:
    """Who reads: whom `--as` names, or else an auditor."""
    try:
        return READER if text is None else parse(text)
    except WrongActor as error:
        raise typer.BadParameter(str(error), param_hint="--as") from error


def base_url(settings: Settings) -> str:
    """Where the API answers, for whoever asks it from this machine."""
    host = settings.reachable_host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}"


class Api:
    """The HTTP API at the address that the settings name. Use it as a context manager."""

    def __init__(self, actor: Actor, *, as_json: bool) -> None:
        self._url = base_url(load())
        self._as_json = as_json
        self._client = httpx.Client(
            base_url=self._url,
            headers={"X-Cpor-Actor": header(actor)},
            timeout=_PATIENCE,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, query: Mapping[str, object | None] | None = None) -> dict[str, Any]:
        """The answer's JSON, parameters that are None left out; ends the program without one."""
        asked = {name: str(value) for name, value in (query or {}).items() if value is not None}
        try:
            response = self._client.get(path, params=asked)
        except httpx.TransportError as error:
            end(
                f"cpor doesn't answer at {self._url} ({error}). Is it running? `make run` starts "
                "it; CPOR_HTTP_HOST and CPOR_HTTP_PORT say where it is.",
                ExitCode.UNREACHABLE,
            )
        try:
            answer: dict[str, Any] = response.json()
        except json.JSONDecodeError:
            end(f"What answers at {self._url} is not cpor.", ExitCode.UNREACHABLE)
        if response.is_error:
            self._refused(answer, response.status_code)
        return answer

    def _refused(self, problem: dict[str, Any], status: int) -> NoReturn:
        if self._as_json:
            typer.echo(json.dumps(problem, ensure_ascii=False, indent=2))
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            end(f"{problem['title']}: {problem['detail']}.", ExitCode.UNREACHABLE)
        wrong = [f"{each['pointer']}: {each['detail']}" for each in problem.get("errors", [])]
        reason = "; ".join(wrong) or problem["detail"]
        end(f"{problem['title']}: {reason}.", ExitCode.REFUSED)
