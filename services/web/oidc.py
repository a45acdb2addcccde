"""The identity provider: what it says of itself, and whether what it signed can be trusted."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from time import monotonic
from typing import Annotated, Any, Final, NamedTuple, cast
from urllib.parse import quote_plus

import httpx
import structlog
from authlib.oauth2.rfc6749 import parameters
from authlib.oauth2.rfc7636 import challenge
from fastapi import Depends, Request
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry
from pydantic import BaseModel, StringConstraints

from services.clock import real_now
from services.settings import Settings
from services.web.identity import person_of
from services.web.problem import InvalidToken, Unavailable
from services.web.session import Person
from services.web.sign_in_attempt import Attempt

CALLBACK: Final = "/sign-in/callback"
"""Where the provider leads people back to."""
ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
)
"""Signatures that are looked at: never `none`, and none made with a secret that is shared."""

_PATIENCE = 5.0
"""Seconds that the provider has for each question."""
_FRESH = 600.0
"""Seconds after which the provider is asked anew what its keys are."""
_USABLE = 3600.0
"""Seconds after which keys that could not be asked for anew count no more."""
_ROTATION = 60.0
"""Seconds between two questions for a key that is not known, or while what is known will do."""
_PAUSE = 3.0
"""Seconds between two questions of a provider that must answer and doesn't."""
_LEEWAY = 30
"""Seconds by which the provider's clock may differ from ours."""

_log = structlog.get_logger(__name__)

_grant_uri = cast("Callable[..., str]", parameters.prepare_grant_uri)  # pyright: ignore[reportUnknownMemberType] - untyped
_s256 = cast("Callable[[str], str]", challenge.create_s256_code_challenge)  # pyright: ignore[reportUnknownMemberType] - untyped
_Url = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+[^\s]*$")]


class _Metadata(BaseModel):
    """What we need of `/.well-known/openid-configuration`."""

    issuer: str
    authorization_endpoint: _Url
    token_endpoint: _Url
    jwks_uri: _Url
    end_session_endpoint: _Url | None = None
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read what is sent there, or change what is read."""
        addresses = (self.authorization_endpoint, self.token_endpoint, self.jwks_uri)
        return all(address.startswith("https:") for address in addresses)


class _KeyDocument(BaseModel):
    keys: list[dict[str, Any]]


class _TokenAnswer(BaseModel):
    id_token: str


class _Known(NamedTuple):
    """What the provider has said, and when."""

    metadata: _Metadata
    keys: KeySet
    at: float

    def has_key(self, kid: str | None) -> bool:
        """Whether a signature by this key can be looked at; who names none means the only one."""
        return kid is None or any(key.kid == kid for key in self.keys)


class ExchangeRefused(Exception):  # noqa: N818 - the provider's answer
    """The provider gives no token for what its own redirect carried."""


class Provider:
    """The identity provider that the settings name; it may be away at any time."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._http = http
        self._known: _Known | None = None
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    async def require(self) -> None:
        """Raise Unavailable when nobody can sign in, as the provider can't be used."""
        await self._current()

    async def check(self, token: str, *, audience: str) -> Mapping[str, Any]:
        """What a token says, once it is sure who signed it, for whom, and until when.

        Raises InvalidToken, and Unavailable when the provider's keys can't be had.
        """
        try:
            kid = jws.extract_compact(token.encode()).headers().get("kid")
            known = await self._current(kid)
            claims = jwt.decode(token, known.keys, algorithms=ALGORITHMS).claims
            JWTClaimsRegistry(
                now=int(real_now().timestamp()),
                leeway=_LEEWAY,
                iss={"essential": True, "value": self._settings.oidc_issuer},
                aud={"essential": True, "value": audience},
                exp={"essential": True},
            ).validate(claims)
        except JoseError as error:
            raise InvalidToken(f"the token is refused: {error}") from None
        except (ValueError, TypeError, RecursionError):
            raise InvalidToken("the token can't be read") from None
        return claims

    async def sign_in_address(self, attempt: Attempt) -> str:
        """Where somebody signs in, and comes back from with a code. Raises Unavailable."""
        known = await self._current()
        return _grant_uri(
            known.metadata.authorization_endpoint,
            self._settings.oidc_client_id,
            "code",
            redirect_uri=self._callback,
            scope="openid profile",
            state=attempt.state,
            nonce=attempt.nonce,
            code_challenge=_s256(attempt.verifier),
            code_challenge_method="S256",
        )

    async def finish(self, code: str, attempt: Attempt) -> Person:
        """Who came back with this code.

        Raises ExchangeRefused, InvalidToken, Unmapped, and Unavailable.
        """
        client_id = self._settings.oidc_client_id
        claims = await self.check(await self._exchange(code, attempt), audience=client_id)
        if not secrets.compare_digest(str(claims.get("nonce")).encode(), attempt.nonce.encode()):
            raise InvalidToken("the token was made for another sign-in")
        only_ours = claims["aud"] in (client_id, [client_id])
        if claims.get("azp", client_id if only_ours else None) != client_id:
            raise InvalidToken("the token was made for another client")
        if "iat" not in claims:
            raise InvalidToken("the token does not say when it was made")
        return person_of(claims, self._settings)

    async def sign_out_address(self) -> str | None:
        """Where somebody signs out of the provider, too; None when there is no such place now."""
        try:
            metadata = (await self._current()).metadata
        except Unavailable:
            return None
        if metadata.end_session_endpoint is None:
            return None
        back = {
            "client_id": self._settings.oidc_client_id,
            "post_logout_redirect_uri": f"{self._settings.public_url}/sign-in",
        }
        return str(httpx.URL(metadata.end_session_endpoint).copy_merge_params(back))

    @property
    def _callback(self) -> str:
        return f"{self._settings.public_url}{CALLBACK}"

    async def _exchange(self, code: str, attempt: Attempt) -> str:
        """The ID token for a code."""
        metadata = (await self._current()).metadata
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback,
            "code_verifier": attempt.verifier,
        }
        client_id, secret = self._settings.oidc_client_id, self._settings.oidc_client_secret
        auth = httpx.Auth()
        if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            auth = httpx.BasicAuth(quote_plus(client_id), quote_plus(secret))  # RFC 6749, 2.3.1
        else:
            form |= {"client_id": client_id, "client_secret": secret}
        try:
            async with asyncio.timeout(_PATIENCE):
                answer = await self._http.post(metadata.token_endpoint, data=form, auth=auth)
        except (TimeoutError, httpx.HTTPError) as error:
            _log.warning("identity_provider_unreachable", error=repr(error))
            raise Unavailable("the identity provider can't be reached") from None
        if not answer.is_success:
            raise ExchangeRefused(f"the token endpoint answers {answer.status_code}")
        try:
            return _TokenAnswer.model_validate_json(answer.content).id_token
        except ValueError:
            raise ExchangeRefused("the token endpoint gives no ID token") from None

    async def _current(self, kid: str | None = None) -> _Known:
        """What the provider says of itself, with this key if it has it. Raises Unavailable."""
        async with self._asking:
            if self._must_ask(kid):
                try:
                    self._known = await self._ask()
                except (TimeoutError, httpx.HTTPError, JoseError, ValueError) as error:
                    _log.warning("identity_provider_unusable", error=repr(error))
                finally:
                    self._asked_at = monotonic()  # who waited meanwhile need not ask again
            if self._known is None or monotonic() - self._known.at > _USABLE:
                raise Unavailable("the identity provider can't be reached")
            return self._known

    def _must_ask(self, kid: str | None) -> bool:
        now = monotonic()
        if self._known is None or now - self._known.at > _USABLE:
            return now - self._asked_at > _PAUSE
        is_stale = now - self._known.at > _FRESH or not self._known.has_key(kid)
        return is_stale and now - self._asked_at > _ROTATION

    async def _ask(self) -> _Known:
        issuer = self._settings.oidc_issuer
        async with asyncio.timeout(_PATIENCE):
            address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
            metadata = _Metadata.model_validate_json(await self._get(address))
            if metadata.issuer != issuer:
                raise ValueError(f"it calls itself {metadata.issuer}")
            if issuer.startswith("https:") and not metadata.is_private:
                raise ValueError("it names addresses without TLS")
            document = _KeyDocument.model_validate_json(await self._get(metadata.jwks_uri))
        keys = KeySet.import_key_set({"keys": [key for key in document.keys if "kty" in key]})
        return _Known(metadata, keys, monotonic())

    async def _get(self, url: str) -> bytes:
        answer = await self._http.get(url)
        return answer.raise_for_status().content


@asynccontextmanager
async def open_provider(settings: Settings) -> AsyncGenerator[Provider | None]:
    """The identity provider, asked when it is needed; None when people are not signed in there."""
    if settings.auth != "oidc":
        yield None
        return
    async with httpx.AsyncClient(timeout=_PATIENCE) as http:
        yield Provider(settings, http)


def _provided(request: Request) -> Provider:
    provider: Provider = request.app.state.provider
    return provider


Provided = Annotated[Provider, Depends(_provided)]
