"""The dashboard of a running demo, in Debian's Chromium."""

import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any, Final, NamedTuple

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Error, Page, async_playwright, expect

from services.embedded.nats import nats_url
from services.settings import CHECKOUT, PREFIX, Settings, child_environment
from tests.free_port import free_port

axe: Any = import_module("axe_playwright_python.async_playwright").Axe()
"""It has no types."""

SCREENSHOTS: Final = CHECKOUT / "build" / "screenshots"
DESKTOP: Final = 1280
PHONE: Final = 390
_PATIENCE: Final = 15_000
"""Milliseconds in which what is waited for comes, on a busy machine, too."""
_HEIGHTS: Final = {DESKTOP: 900, PHONE: 844}


class Look(NamedTuple):
    """How somebody looks at the pages."""

    language: str = "en"
    theme: str = "light"
    width: int = DESKTOP

    def __str__(self) -> str:
        return f"{self.language}-{self.theme}-{self.width}"


LOOKS: Final = tuple(
    Look(language, theme, width)
    for language in ("en", "tr")
    for theme in ("light", "dark")
    for width in (DESKTOP, PHONE)
)


class Demo(NamedTuple):
    """Where a running demo is."""

    address: str
    nats_url: str


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Journeys change what other tests look at: they come last."""
    items.sort(key=lambda item: item.path.name == "test_journeys.py")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Generator[Demo]:
    """A demo: forty claims, in all states, on the simulated clock."""
    port, nats_port = free_port(), free_port()
    outside = child_environment(Settings())
    environment = {name: text for name, text in outside.items() if not name.startswith(PREFIX)}
    environment |= {
        "CPOR_DATA_DIR": str(tmp_path_factory.mktemp("demo")),
        "CPOR_HTTP_PORT": str(port),
        "CPOR_NATS_PORT": str(nats_port),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "services.cli", "demo"],
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    told: list[str] = []
    try:
        while "another terminal" not in "".join(told):
            line = process.stdout.readline()
            assert line, "".join(told)
            told.append(line)
        yield Demo(f"http://127.0.0.1:{port}", nats_url(nats_port))
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncGenerator[Browser]:
    """The browser; Debian's, as there is no other way to have it from packages."""
    executable = shutil.which("chromium")
    assert executable, "the browser tests need Chromium: apt-get install chromium"
    expect.set_options(timeout=_PATIENCE)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox"]
        )
        yield browser
        await browser.close()


class Visitors:
    """Opens the dashboard as anybody, in any look."""

    def __init__(self, browser: Browser, address: str) -> None:
        self._browser = browser
        self.address = address

    @asynccontextmanager
    async def visit(
        self,
        persona: str | None = None,
        look: Look | None = None,
        *,
        javascript: bool = True,
        tolerant: bool = False,
    ) -> AsyncGenerator[Page]:
        """A page of a browser of its own; whatever it complains of is a failure.

        Unless it is `tolerant`: Chromium complains of every answer that is an error.
        """
        look = look or Look()
        complaints: list[str] = []

        def listen(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                complaints.append(message.text)

        def fail(error: Error) -> None:
            complaints.append(str(error))

        context = await self._browser.new_context(
            base_url=self.address,
            viewport={"width": look.width, "height": _HEIGHTS[look.width]},
            timezone_id="Europe/Istanbul",
            java_script_enabled=javascript,
        )
        await context.add_cookies(
            [
                {"name": "cpor_language", "value": look.language, "url": self.address},
                {"name": "cpor_theme", "value": look.theme, "url": self.address},
                {"name": "cpor_time_zone", "value": "Europe/Istanbul", "url": self.address},
            ]
        )
        page = await context.new_page()
        page.set_default_timeout(_PATIENCE)
        page.on("console", listen)
        page.on("pageerror", fail)
        if persona:
            await page.goto("/sign-in")
            await page.click(f"button[name=persona][value={persona}]")
        yield page
        await context.close()
        assert tolerant or not complaints


@pytest.fixture
def visitors(chromium: Browser, demo: Demo) -> Visitors:
    """Anybody's way to the dashboard."""
    return Visitors(chromium, demo.address)


async def examine(page: Page, name: str, look: Look) -> None:
    """Keep a picture of the page, and let axe find nothing wrong with it."""
    folder = SCREENSHOTS / str(look)
    folder.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=folder / f"{name}.png", full_page=True)
    found: list[dict[str, Any]] = (await axe.run(page)).response["violations"]
    assert not [(each["id"], [node["target"] for node in each["nodes"]]) for each in found]
    overflow = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0, "the page is wider than the window"
