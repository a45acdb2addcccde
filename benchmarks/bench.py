"""What every measurement is given: a running system, the sizes, and what was found before."""

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

import psycopg

from tests.system.rig import System

IN_FLIGHT = 200
"""Commands that are published and not answered yet, at most."""


class Sizes(NamedTuple):
    """How much is measured; all of it follows from the number of claims of a loaded run."""

    claims: int

    @property
    def events(self) -> int:
        """That a rebuild reads."""
        return 500 * self.claims

    @property
    def existing(self) -> int:
        """Claims that are there when the rate must not have fallen."""
        return 100 * self.claims

    @property
    def clocks(self) -> int:
        """That are open when the timer is measured."""
        return 500 * self.claims

    @property
    def told(self) -> int:
        """Events that the notifier tells of."""
        return 50 * self.claims

    @property
    def due_at_once(self) -> int:
        """Clocks that come due at one instant."""
        return 5 * self.claims // 2


@dataclass(slots=True)
class Bench:
    """One stage: measurements that share servers and services."""

    name: str
    system: System
    sizes: Sizes
    found: Mapping[str, Sequence[Mapping[str, Any]]]
    """The rounds so far of each measurement of the stage."""
    _runs: Iterator[int] = field(default_factory=lambda: count(1))

    def next_run(self) -> str:
        """A name that no other run has: claim ids are made from it."""
        return f"{self.name}/{next(self._runs)}"

    def database(self, name: str) -> str:
        """The address of a new, empty database on the system's server."""
        with psycopg.connect(self.system.settings.database_url, autocommit=True) as store:
            store.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
            store.execute(f"CREATE DATABASE {name}".encode())
        return self.system.postgres.url_for(name)


Measure = Callable[[Bench], Coroutine[Any, Any, dict[str, Any]]]
Results = Mapping[str, Any]
"""Of a whole run: by stage and measurement, as they stand in results.json."""
