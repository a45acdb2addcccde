"""An identity provider of the tests' own: a real server, with people and keys as they want them."""

import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import flask
import httpx
from authlib.deprecate import AuthlibDeprecationWarning
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from services.clock import real_now
from services.settings import Settings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from oidc_provider_mock import User, run_server_in_thread

OLD_FASHIONED: Final = "ignore:get_jwt_config:DeprecationWarning"
"""The provider warns of itself while it works."""
CLIENT: Final = "cpor-web"
PEOPLE: Final[Mapping[str, Mapping[str, object]]] = {
    "ayse": {"cpor_role": "incentives_admin", "cpor_org": "1230010", "name": "Ayşe Demir"},
    "deniz": {"cpor_role": "reviewer"},
}
"""Who has an account, and what their tokens say of them."""


class IdentityProvider:
    """The provider, what it was asked, and what it can be made to sign."""

    def __init__(self, issuer: str, app: flask.Flask) -> None:
        self.issuer = issuer
        self.asked: list[tuple[str, dict[str, str]]] = []
        """The path and the parameters of each request."""
        self._storage: Any = None

        @app.before_request
        def listen() -> None:
            self._storage = flask.g.oidc_provider_mock_storage
            self.asked.append((flask.request.path, flask.request.values.to_dict()))

    @property
    def key(self) -> RSAKey:
        """The private key that the provider signs with."""
        return RSAKey.import_key(self._storage.jwk.as_dict(is_private=True))

    @property
    def kid(self) -> str:
        """The key's name."""
        return self.key.thumbprint()

    def rotate(self) -> None:
        """Sign with another key from now on."""
        self._storage.jwk = self._storage.jwk.generate_key(is_private=True)

    def store(self, sub: str, **claims: object) -> None:
        """Give somebody an account."""
        self._storage.store_user(User(sub=sub, claims=claims))

    def settings(self, **others: Any) -> Settings:  # noqa: ANN401 - as Settings take them
        """Settings of a system whose people sign in here."""
        return Settings(
            auth="oidc",
            oidc_issuer=self.issuer,
            oidc_client_id=CLIENT,
            oidc_client_secret="hidden",
            **others,
        )

    def token(
        self,
        claims: Mapping[str, object] = MappingProxyType({}),
        *,
        key: RSAKey | ECKey | None = None,
        alg: str = "RS256",
    ) -> str:
        """A token as the provider makes it, but for what is given; None leaves a claim out."""
        now = int(real_now().timestamp())
        said = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "deniz",
            "cpor_role": "reviewer",
            "iat": now,
            "exp": now + 300,
            **claims,
        }
        signing = key or self.key
        signing.ensure_kid()
        return jwt.encode(
            {"alg": alg, "kid": signing.kid},
            {name: value for name, value in said.items() if value is not None},
            signing,
            algorithms=[alg],
        )

    async def consent(self, address: str, sub: str, *, action: str = "") -> str:
        """Sign in there as somebody; where the provider leads them back to."""
        async with httpx.AsyncClient() as person:
            form = {"sub": sub} | ({"action": action} if action else {})
            answer = await person.post(address, data=form)
        assert answer.is_redirect, answer.text
        back = urlsplit(answer.headers["location"])
        return f"{back.path}?{back.query}"


@contextmanager
def running_provider(port: int = 0) -> Generator[IdentityProvider]:
    """A provider that serves on loopback."""
    people = [User(sub=sub, claims=dict(claims)) for sub, claims in PEOPLE.items()]
    with run_server_in_thread(port, require_nonce=True, user_claims=people) as server:
        app: Any = server.app
        provider = IdentityProvider(f"http://localhost:{server.server_port}", app)
        httpx.get(f"{provider.issuer}/jwks").raise_for_status()
        provider.asked.clear()
        yield provider


def parameters(address: str) -> dict[str, str]:
    """The query of an address."""
    return {name: value for name, (value, *_) in parse_qs(urlsplit(address).query).items()}
