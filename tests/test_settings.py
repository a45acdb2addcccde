"""The variables `CPOR_*`: their defaults, and one clear sentence for each mistake."""

from pathlib import Path

import pytest

from services.settings import CHECKOUT, Settings, SettingsError, child_environment, load


def test_defaults_are_those_of_the_contract() -> None:
    """Without any variable everything runs embedded, on loopback, in the checkout."""
    settings = load()

    assert settings == Settings(
        data_dir=CHECKOUT / ".cpor",
        http_host="127.0.0.1",
        http_port=8000,
        public_url="http://127.0.0.1:8000",
        nats_port=4222,
        nats_sync="always",
        nats_url="",
        database_url="",
        policy="seed-2021",
        time_zone=None,
        holidays=None,
        clock="system",
        auth="dev",
        oidc_issuer="",
        oidc_client_id="",
        oidc_client_secret="",
        oidc_audience="",
        oidc_role_claim="cpor_role",
        oidc_org_claim="cpor_org",
        oidc_id_claim="sub",
        dev_auth_anywhere=False,
        rate_limit=1.0,
        log_level="info",
        smtp_url="",
        mail_from="cpor@localhost.localdomain",
        programme="",
        reviewers_email="",
        reviewers_pause=900,
        mails_an_hour=60,
        language="en",
        clamd="",
    )


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        (
            "CPOR_HTTP_PROT",
            "8000",
            "CPOR_HTTP_PROT is not a variable of cpor: did you mean CPOR_HTTP_PORT?",
        ),
        (
            "cpor_http_port",
            "8000",
            "cpor_http_port is not a variable of cpor: did you mean CPOR_HTTP_PORT?",
        ),
        (
            "Cpor_Nats_Url_File",
            "/run/secrets/nats",
            "Cpor_Nats_Url_File is not a variable of cpor: did you mean CPOR_NATS_URL_FILE?",
        ),
        (
            "CPOR_DATA_DIR",
            "~nobody-has-this-name",
            "CPOR_DATA_DIR must be a path that leads somewhere, not '~nobody-has-this-name'.",
        ),
        ("CPOR_NATS_PORT", "0", "CPOR_NATS_PORT must be greater than or equal to 1, not '0'."),
        ("CPOR_RATE_LIMIT", "-1", "CPOR_RATE_LIMIT must be greater than or equal to 0, not '-1'."),
        ("CPOR_NATS_SYNC", "never", "CPOR_NATS_SYNC must be 'always' or 'interval', not 'never'."),
        ("CPOR_CLOCK", "fast", "CPOR_CLOCK must be 'system' or 'simulated', not 'fast'."),
        (
            "CPOR_POLICY",
            "../x",
            "CPOR_POLICY must be the name of a profile in policies/, not '../x'.",
        ),
        (
            "CPOR_HOLIDAYS",
            "tur",
            "CPOR_HOLIDAYS must be an ISO country code such as TR, not 'tur'.",
        ),
        (
            "CPOR_PUBLIC_URL",
            "claims.example",
            (
                "CPOR_PUBLIC_URL must be an address that begins with http:// or https://, "
                "not 'claims.example'."
            ),
        ),
        (
            "CPOR_DATABASE_URL",
            "mysql://u:hidden@h",
            "CPOR_DATABASE_URL must be an address that begins with postgresql:// or postgres://.",
        ),
        *(
            ("CPOR_SMTP_URL", url, "CPOR_SMTP_URL must be smtp://host, smtps://host or unix:/path.")
            for url in (
                "mail.example",
                "http://cpor:hidden@mail.example",
                "smtp://",
                "smtp:///mail.example",
                "smtp://mail.example/x",
                "smtp://mail.example?tls=no",
                "smtp://cpor:hidden@mail.example:smtp",
                "smtp://mail.example:70000",
                "smtp://mail.example:0",
                "smtps://[::1",
                "unix:mailbox",
            )
        ),
        *(
            (
                variable,
                value,
                (
                    f"{variable} must be an e-mail address, such as name@company.example, "
                    f"not {value!r}."
                ),
            )
            for variable, value in (
                ("CPOR_MAIL_FROM", "nobody"),
                ("CPOR_MAIL_FROM", "cpor@localhost"),
                ("CPOR_MAIL_FROM", "Claims <claims@company.example>"),
                ("CPOR_MAIL_FROM", "claims@company.example\nBcc: x@y.example"),
                ("CPOR_REVIEWERS_EMAIL", "reviewers"),
                ("CPOR_REVIEWERS_EMAIL", "a@company.example,b@company.example"),
            )
        ),
        *(
            (
                "CPOR_PROGRAMME",
                name,
                f"CPOR_PROGRAMME must be one printable line, at most 60 characters, not {name!r}.",
            )
            for name in ("x" * 61, "Claims\r\nBcc: x@y.example", "a\u2028b", "abc\u202egpj", "a\tb")
        ),
        (
            "CPOR_MAILS_AN_HOUR",
            "-1",
            "CPOR_MAILS_AN_HOUR must be greater than or equal to 0, not '-1'.",
        ),
        (
            "CPOR_MAILS_AN_HOUR",
            "many",
            (
                "CPOR_MAILS_AN_HOUR must be a valid integer, unable to parse string as an integer, "
                "not 'many'."
            ),
        ),
        (
            "CPOR_REVIEWERS_PAUSE",
            "-1",
            "CPOR_REVIEWERS_PAUSE must be greater than or equal to 0, not '-1'.",
        ),
        (
            "CPOR_REVIEWERS_PAUSE",
            "inf",
            "CPOR_REVIEWERS_PAUSE must be a finite number, not 'inf'.",
        ),
        ("CPOR_LANGUAGE", "de", "CPOR_LANGUAGE must be 'en' or 'tr', not 'de'."),
        ("CPOR_CLAMD", "clamd", "CPOR_CLAMD must be host:port or unix:/path, not 'clamd'."),
        ("CPOR_CLAMD", "av:70000", "CPOR_CLAMD must be host:port or unix:/path, not 'av:70000'."),
        (
            "CPOR_AUTH",
            "oidc",
            (
                "CPOR_AUTH=oidc, which is the default on an address that is not loopback, needs "
                "CPOR_OIDC_ISSUER, CPOR_OIDC_CLIENT_ID, CPOR_OIDC_CLIENT_SECRET: people "
                "sign in at an identity provider."
            ),
        ),
        (
            "CPOR_HTTP_HOST",
            "192.0.2.1",
            (
                "CPOR_AUTH=oidc, which is the default on an address that is not loopback, needs "
                "CPOR_OIDC_ISSUER, CPOR_OIDC_CLIENT_ID, CPOR_OIDC_CLIENT_SECRET, "
                "CPOR_PUBLIC_URL: people sign in at an identity provider."
            ),
        ),
        (
            "CPOR_OIDC_ISSUER",
            "http://login.example",
            (
                "CPOR_OIDC_ISSUER must be an address that begins with https://, without ? and #, "
                "not 'http://login.example'."
            ),
        ),
    ],
)
@pytest.mark.fault(74)
def test_a_mistake_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str
) -> None:
    """An unknown variable or a wrong value is refused in words for whoever set it."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError) as refusal:
        load()

    assert str(refusal.value) == sentence


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\x7fb", "a\u2028b", "a\udcffb"])
def test_a_data_directory_that_no_server_can_name_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Line breaks, control characters, and bytes that are no text."""
    monkeypatch.setenv("CPOR_DATA_DIR", f"/nowhere/{name}")

    with pytest.raises(SettingsError) as refusal:
        load()

    assert str(refusal.value) == (
        "CPOR_DATA_DIR must be a path in UTF-8 without line breaks and control characters, "
        f"not {f'/nowhere/{name}'!r}."
    )


def test_one_port_for_http_and_embedded_nats_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The web would find its port taken for ever; the port of an external NATS is elsewhere."""
    monkeypatch.setenv("CPOR_HTTP_PORT", "4222")

    with pytest.raises(SettingsError) as refusal:
        load()

    assert str(refusal.value) == (
        "CPOR_HTTP_PORT and CPOR_NATS_PORT are both 4222: set one of them to another port."
    )
    monkeypatch.setenv("CPOR_NATS_URL", "nats://elsewhere:4222")
    assert load().http_port == 4222


def test_dev_auth_off_loopback_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for who asks for it by name."""
    monkeypatch.setenv("CPOR_AUTH", "dev")
    monkeypatch.setenv("CPOR_HTTP_HOST", "192.0.2.1")

    with pytest.raises(SettingsError) as refusal:
        load()

    assert str(refusal.value) == (
        "CPOR_AUTH=dev lets every caller name itself, so cpor refuses CPOR_HTTP_HOST=192.0.2.1, "
        "which is not a loopback address: set CPOR_DEV_AUTH_ANYWHERE=yes if you mean it."
    )


def test_off_loopback_people_sign_in_at_the_identity_provider(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By default; tokens are meant for the client, and its secret is nowhere to be read."""
    file = tmp_path / "secret"
    file.write_text("hidden\n")
    monkeypatch.setenv("CPOR_HTTP_HOST", "192.0.2.1")
    monkeypatch.setenv("CPOR_PUBLIC_URL", "https://cpor.example/")
    monkeypatch.setenv("CPOR_OIDC_ISSUER", "https://login.example/tenant/")
    monkeypatch.setenv("CPOR_OIDC_CLIENT_ID", "cpor-web")
    monkeypatch.setenv("CPOR_OIDC_CLIENT_SECRET_FILE", str(file))

    settings = load()

    assert settings.auth == "oidc"
    assert settings.oidc_issuer == "https://login.example/tenant/"
    assert settings.oidc_audience == "cpor-web"
    assert settings.oidc_client_secret == "hidden"
    assert "hidden" not in repr(settings)


def test_dev_auth_may_be_allowed_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever means it can let every caller name itself on any address."""
    monkeypatch.setenv("CPOR_HTTP_HOST", "192.0.2.1")
    monkeypatch.setenv("CPOR_DEV_AUTH_ANYWHERE", "yes")

    assert load().dev_auth_anywhere


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost", "::1"])
def test_every_loopback_address_allows_dev_auth(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """Loopback is more than one address."""
    monkeypatch.setenv("CPOR_HTTP_HOST", host)

    assert load().http_host == host


def test_public_address_follows_host_and_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Links in mails lead to where the dashboard listens, unless told otherwise."""
    monkeypatch.setenv("CPOR_HTTP_HOST", "::1")
    monkeypatch.setenv("CPOR_HTTP_PORT", "9000")

    assert load().public_url == "http://[::1]:9000"


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files pass variables on that nobody filled in."""
    monkeypatch.setenv("CPOR_HTTP_PORT", "")

    assert load().http_port == 8000


@pytest.mark.parametrize(
    ("public_url", "sender"),
    [
        ("https://claims.company.example", "cpor@claims.company.example"),
        ("https://192.0.2.1:8443", "cpor@localhost.localdomain"),
        ("http://[::1]:8000", "cpor@localhost.localdomain"),
        ("http://claims", "cpor@localhost.localdomain"),
    ],
)
def test_mails_come_from_where_people_go(
    monkeypatch: pytest.MonkeyPatch, public_url: str, sender: str
) -> None:
    """Unless CPOR_MAIL_FROM says otherwise, and where that is a name that mails can come from."""
    monkeypatch.setenv("CPOR_PUBLIC_URL", public_url)

    assert load().mail_from == sender


@pytest.mark.parametrize(
    ("given", "name"),
    [(" Anadolu İş Ortakları ", "Anadolu İş Ortakları"), ("x" * 60, "x" * 60), (" ", "")],
)
def test_a_programme_has_a_name(monkeypatch: pytest.MonkeyPatch, given: str, name: str) -> None:
    """Of any letters, and without spaces around it."""
    monkeypatch.setenv("CPOR_PROGRAMME", given)

    assert load().programme == name


def test_a_relative_data_directory_becomes_absolute(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Services run in another folder than the one that `cpor up` was started in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CPOR_DATA_DIR", "data")

    assert load().data_dir == (tmp_path / "data").resolve()


def test_an_address_with_a_password_comes_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Containers hand secrets over as files."""
    file = tmp_path / "database"
    file.write_text("postgresql://cpor:hidden@db/cpor\n")
    monkeypatch.setenv("CPOR_DATABASE_URL_FILE", str(file))

    settings = load()

    assert settings.database_url == "postgresql://cpor:hidden@db/cpor"
    assert "hidden" not in repr(settings)


def test_an_address_comes_from_one_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A variable and a file that say the same thing may say different things."""
    monkeypatch.setenv("CPOR_NATS_URL", "nats://n:4222")
    monkeypatch.setenv("CPOR_NATS_URL_FILE", str(tmp_path / "nats"))

    with pytest.raises(SettingsError, match="only one may be"):
        load()


def test_a_secret_file_that_is_missing_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The sentence names the variable and the file."""
    monkeypatch.setenv("CPOR_NATS_URL_FILE", str(tmp_path / "missing"))

    with pytest.raises(SettingsError, match=r"CPOR_NATS_URL_FILE names a file .*missing"):
        load()


def test_a_child_runs_with_exactly_the_same_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a process is started with gives the same settings back, whatever was set outside."""
    monkeypatch.setenv("CPOR_LANGUAGE", "tr")
    settings = Settings(
        data_dir=tmp_path, clock="simulated", language="en", holidays="TR", programme="İş & Co."
    )
    environment = child_environment(settings)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert load() == settings
