"""The deployment in parts: its files keep their promises, and nobody may do more than needed."""

import asyncio
import re
import subprocess
import sysconfig
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from ruamel.yaml import YAML

from services import dead_letter
from services.connection import UnreachableError, connect, connected
from services.roster import MAILBOX, SERVICES
from services.settings import CHECKOUT, PREFIX, Settings
from services.streams import prepare, restore, verify
from tests.deployed import DEPLOY, NATS_SERVER, DeployedNats, deployed_nats, make_secrets

BIN = Path(sysconfig.get_path("scripts"))
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text("utf-8")
COMPOSE: dict[str, Any] = YAML(typ="safe").load(CHECKOUT / "compose.yaml")  # pyright: ignore[reportUnknownMemberType]
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
CLAIM = "6f1c1a0e-9f3b-4a57-8d0e-2a7c5b1f4e90"


def _sources(container: dict[str, Any]) -> list[str]:
    """The secrets that a container gets, in either notation."""
    secrets: list[Any] = container.get("secrets", [])
    return [each if isinstance(each, str) else each["source"] for each in secrets]


def test_compose_file_is_valid() -> None:
    """The compose specification's own schema has no objection."""
    tool, file = str(BIN / "check-jsonschema"), str(CHECKOUT / "compose.yaml")
    checked = subprocess.run(
        [tool, "--builtin-schema", "vendor.compose-spec", file],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_dockerfile_passes_its_linter() -> None:
    """Hadolint finds nothing, not even as information."""
    checked = subprocess.run(
        [BIN / "hadolint", CHECKOUT / "Dockerfile"], capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stdout) == (0, "")


def test_base_images_are_pinned_and_run_without_root() -> None:
    """Each stage builds on a full version, and each image that runs has a user of its own."""
    stages = re.split(r"(?m)^(?=FROM )", DOCKERFILE)[1:]

    for stage in stages:
        assert re.match(r"FROM \w+:\d+\.\d+\.\d+-[\w.-]+( AS \w+)?\n", stage), stage
    for stage in (stage for stage in stages if " AS builder\n" not in stage):
        assert re.search(r"(?m)^USER (\d{4,}):\1$", stage), stage
        assert "\nHEALTHCHECK " in stage


def test_images_are_made_of_what_the_context_holds() -> None:
    """What the Dockerfile copies is let in by `.dockerignore`, which keeps everything else out."""
    ignored, *kept = (
        line
        for line in (CHECKOUT / ".dockerignore").read_text("utf-8").splitlines()
        if line and not line.startswith(("#", "**/"))
    )
    copied = [
        word
        for words in re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", DOCKERFILE)
        for word in words.split()
    ]

    assert ignored == "*"
    assert sorted(kept) == sorted(f"!{word}" for word in copied)
    assert all((CHECKOUT / word).exists() for word in copied)


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_may_do_as_little_as_they_must(name: str) -> None:
    """No root, no capability, no way to get one, a read-only image, and limits."""
    container = CONTAINERS[name]

    assert re.fullmatch(r"([1-9]\d+):\1", container["user"])
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert "cap_add" not in container
    assert "privileged" not in container
    assert "no-new-privileges:true" in container["security_opt"]
    assert container["tmpfs"]
    assert {"cpus", "memory", "pids"} <= container["deploy"]["resources"]["limits"].keys()
    assert container["restart"] == ("on-failure" if name == "admin" else "unless-stopped")


def test_every_service_has_a_container() -> None:
    """Each service runs alone, asks itself for its health, and has a NATS user of its own."""
    assert set(CONTAINERS) == {"postgres", "nats", "admin", *SERVICES, MAILBOX}
    for name in (*SERVICES, MAILBOX):
        container = CONTAINERS[name]
        assert container["command"] == ["service", name]
        assert container["healthcheck"]["test"] == ["CMD", "cpor", "health", name]
        assert container["depends_on"] == {"admin": {"condition": "service_completed_successfully"}}
        mail = {"smtp_url"} if name in {"notifier", "mailbox", "web"} else set[str]()
        assert set(_sources(container)) == {"database_url", f"nats_url_{name}", *mail}
    assert CONTAINERS["admin"]["depends_on"] == {
        "postgres": {"condition": "service_healthy"},
        "nats": {"condition": "service_healthy"},
    }


def test_only_the_web_can_be_reached_and_only_from_this_machine() -> None:
    """One port, on loopback; the servers' network has no way out."""
    published = {name: each["ports"] for name, each in CONTAINERS.items() if "ports" in each}

    assert published == {"web": ["127.0.0.1:8000:8000"]}
    assert COMPOSE["networks"]["backend"] == {"internal": True}
    for name, container in CONTAINERS.items():
        assert ("frontend" in container["networks"]) == (name == "web")


async def test_secrets_are_files_that_the_script_makes(tmp_path: Path) -> None:
    """No password stands in the compose file, and none that it names is missing."""
    folder = await make_secrets(tmp_path / "secrets")
    declared = COMPOSE["secrets"]

    assert folder.stat().st_mode & 0o777 == 0o700
    made = {file.name for file in folder.iterdir()}
    assert {Path(each["file"]).name for each in declared.values()} == made - {"nats_url_upstream"}
    assert {each for container in CONTAINERS.values() for each in _sources(container)} == set(
        declared
    )
    for container in CONTAINERS.values():
        for variable in container.get("environment", {}):
            assert "PASSWORD" not in variable or variable.endswith("_FILE")


async def test_secrets_are_made_once(tmp_path: Path) -> None:
    """The script leaves passwords alone that servers may already know."""
    folder = await make_secrets(tmp_path / "secrets")
    before = {file: file.read_bytes() for file in folder.iterdir()}

    again = await asyncio.create_subprocess_exec(
        str(DEPLOY / "make-secrets.sh"), str(folder), stderr=asyncio.subprocess.PIPE
    )
    _, complaint = await again.communicate()

    assert again.returncode == 1
    assert b"is there already" in complaint
    assert {file: file.read_bytes() for file in folder.iterdir()} == before
    assert [file.parent for file in before] == [folder] * len(before)


def test_variables_of_the_containers_are_settings() -> None:
    """Every `CPOR_*` variable in the files is one that the settings know."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    known |= {f"{PREFIX}{name}_URL_FILE" for name in ("DATABASE", "NATS", "SMTP")}
    for container in CONTAINERS.values():
        ours = {name for name in container.get("environment", {}) if name.startswith(PREFIX)}
        assert ours <= known
    assert set(re.findall(r"\bCPOR_\w+", DOCKERFILE)) <= known


def test_notifier_and_web_know_the_same_of_mails() -> None:
    """Links of mails lead to the web, which knows whose address the reviewers' is."""
    notifier, web = (CONTAINERS[name]["environment"] for name in ("notifier", "web"))

    for name in ("SMTP_URL_FILE", "PUBLIC_URL", "MAIL_FROM", "PROGRAMME", "REVIEWERS_EMAIL"):
        assert notifier[f"{PREFIX}{name}"] == web[f"{PREFIX}{name}"]


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncGenerator[DeployedNats]:
    """A nats-server as deployed, after the admin step."""
    async with deployed_nats(tmp_path) as server:
        await prepare(server.url("operator"))
        yield server


def test_nats_accepts_its_configuration(tmp_path: Path) -> None:
    """`nats-server -t` finds the file in order, with the passwords beside it."""
    secrets = asyncio.run(make_secrets(tmp_path / "secrets"))
    server = DeployedNats(tmp_path / "nats", secrets)

    checked = subprocess.run(
        [NATS_SERVER, "-t", "-c", server.config], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr
    assert "is valid" in checked.stderr


class Visitor:
    """One user of the server, and what the server told it off for."""

    def __init__(self) -> None:
        self.client = Client()
        self._complaints: list[str] = []

    async def enter(self, url: str) -> None:
        """Connect."""
        await self.client.connect(url, error_cb=self._on_error, allow_reconnect=False)

    async def allowed_to_publish(self, subjects: Iterable[str]) -> set[str]:
        """The subjects on which the server takes a message."""
        for subject in subjects:
            await self.client.publish(subject, b"{}")
        return await self._allowed("publish", subjects)

    async def allowed_to_subscribe(self, subjects: Iterable[str]) -> set[str]:
        """The subjects to which the server takes a subscription."""
        for subject in subjects:
            await self.client.subscribe(subject)  # pyright: ignore[reportUnknownMemberType]
        return await self._allowed("subscription", subjects)

    async def _allowed(self, what: str, subjects: Iterable[str]) -> set[str]:
        await self.client.flush()  # its question overtakes what was published before
        await self.client.flush()
        denied = {
            f'permissions violation for {what} to "{each}"'.lower(): each for each in subjects
        }
        complaints = {text.removeprefix("nats: ") for text in self._complaints}
        assert complaints <= denied.keys()
        return set(subjects) - {denied[text] for text in complaints}

    async def _on_error(self, error: Exception) -> None:
        self._complaints.append(str(error))


@pytest.fixture
async def visitor() -> AsyncGenerator[Visitor]:
    """A user who has not come in yet."""
    someone = Visitor()
    yield someone
    if someone.client.is_connected:
        await someone.client.close()


PUBLISHED = {
    f"cpor.commands.approve_claim.{CLAIM}": {"operator", "web", "upstream"},
    f"cpor.commands.pass_deadline.{CLAIM}": {"operator", "web", "timer"},
    f"cpor.events.approved.{CLAIM}": {"relay"},
    f"cpor.outcomes.{CLAIM}.a-command": {"claims"},
    "cpor.dead_letters.claims": {"claims"},
    "cpor.dead_letters.relay": set[str](),
    "cpor.health.timer": {"operator", "web", "timer"},
    "$JS.API.STREAM.PURGE.CPOR_NONE": {"operator"},
    "$JS.API.STREAM.DELETE.CPOR_NONE": {"operator"},
    "$JS.API.STREAM.UPDATE.CPOR_EVENTS": {"operator"},
    "$JS.API.STREAM.MSG.DELETE.CPOR_EVENTS": {"operator"},
    "$JS.API.STREAM.CREATE.CPOR_EVENTS": {"operator", "claims", "relay"},
    "$JS.API.STREAM.CREATE.ANOTHER": {"operator"},
    "$JS.API.STREAM.MSG.GET.CPOR_COMMANDS": {"operator", "claims"},
    "$JS.API.STREAM.MSG.GET.CPOR_EVENTS": {"operator", "relay", "projector", "notifier"},
    "$JS.API.STREAM.MSG.GET.CPOR_DEAD_LETTERS": {"operator", "web"},
    "$JS.API.STREAM.MSG.DELETE.CPOR_DEAD_LETTERS": {"operator", "web"},
    "$JS.API.CONSUMER.CREATE.CPOR_COMMANDS.another": {"operator"},
    "$JS.API.CONSUMER.CREATE.CPOR_EVENTS.projector-1": {"operator", "projector", "notifier"},
    "$JS.API.CONSUMER.LIST.CPOR_EVENTS": {"operator", "web"},
    "$JS.API.CONSUMER.DELETE.CPOR_COMMANDS.claims": {"operator"},
    "$JS.API.CONSUMER.MSG.NEXT.CPOR_COMMANDS.claims": {"operator", "claims"},
    "$JS.ACK.CPOR_COMMANDS.claims.1.1.1.1.1": {"operator", "claims"},
    "$SYS.REQ.SERVER.PING": set[str](),
}
"""Who may publish what."""

SUBSCRIBED = {
    "cpor.outcomes.>": {"upstream"},
    "cpor.outcomes.*.*": {"operator", "web", "upstream"},
    "cpor.events.>": {"operator"},
    "cpor.commands.>": set[str](),
    "cpor.health.relay": {"relay"},
    "cpor.dead_letters.>": {"operator"},
    "$JS.>": set[str](),
    ">": set[str](),
}
"""Who may listen to what."""

USERS = (
    *("operator", "claims", "relay", "projector", "timer"),
    *("notifier", "mailbox", "web", "upstream"),
)


@pytest.mark.fault(70)
@pytest.mark.parametrize("user", USERS)
async def test_users_may_publish_what_is_theirs(
    nats: DeployedNats, visitor: Visitor, user: str
) -> None:
    """Each message is taken from those who need to send it, and from nobody else."""
    await visitor.enter(nats.url(user))

    assert await visitor.allowed_to_publish(PUBLISHED) == {
        subject for subject, users in PUBLISHED.items() if user in users
    }


@pytest.mark.fault(70)
@pytest.mark.parametrize("user", USERS)
async def test_users_may_listen_to_what_is_theirs(
    nats: DeployedNats, visitor: Visitor, user: str
) -> None:
    """Events, commands and other services' questions are not for everybody."""
    await visitor.enter(nats.url(user))

    assert await visitor.allowed_to_subscribe(SUBSCRIBED) == {
        subject for subject, users in SUBSCRIBED.items() if user in users
    }


async def test_the_web_sends_dead_letters_again(nats: DeployedNats) -> None:
    """What operators do on its pages: look at what was given up, and send it where it was sent."""
    subject = f"cpor.commands.approve_claim.{CLAIM}"
    async with connected(nats.url("claims"), "test") as claims:
        await claims.js.publish(
            "cpor.dead_letters.claims", b"{}", headers={"cpor-subject": subject}
        )

    async with connected(nats.url("web"), "test") as web:
        (letter,) = await dead_letter.newest(web, limit=5)
        await dead_letter.requeue(web, letter.number)

        assert await dead_letter.newest(web, limit=5) == []
        assert (await web.js.stream_info("CPOR_COMMANDS")).state.messages == 1


async def test_nobody_enters_without_a_password(nats: DeployedNats) -> None:
    """A connection without login, or with a wrong one, is refused."""
    place = nats.url("web").partition("@")[2]

    for url in (f"nats://{place}", f"nats://web:wrong@{place}"):
        with pytest.raises(UnreachableError):
            await connect(url, "test", patience=2.0)


@pytest.mark.fault(70)
async def test_an_upstream_system_hears_no_inbox_but_its_own(
    nats: DeployedNats, visitor: Visitor
) -> None:
    """What the server answers to services is not delivered to whoever listens upstream."""
    await visitor.enter(nats.url("upstream"))
    heard = await visitor.client.subscribe("_INBOX.>")  # pyright: ignore[reportUnknownMemberType]
    await visitor.client.flush()

    async with connected(nats.url("operator"), "test") as operator:
        await operator.js.stream_info("CPOR_EVENTS")
    acknowledged = await visitor.client.jetstream().publish(  # pyright: ignore[reportUnknownMemberType]
        f"cpor.commands.approve_claim.{CLAIM}", b"{}"
    )

    assert acknowledged.stream == "CPOR_COMMANDS"
    own = await heard.next_msg(timeout=5)
    assert b"CPOR_COMMANDS" in own.data
    assert heard.pending_msgs == 0


@pytest.mark.fault(70)
@pytest.mark.parametrize("user", ["claims", "relay"])
async def test_services_make_streams_that_were_lost(tmp_path: Path, user: str) -> None:
    """On a server that has lost its disk, the services' own rights are enough to begin anew."""
    async with deployed_nats(tmp_path) as server, connected(server.url(user), "test") as nats:
        await restore(nats.js)

        assert await verify(nats.js) == []
