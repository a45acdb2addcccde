"""A page to read the API's description, which needs nothing from elsewhere."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope
from typing_extensions import override

from services.web.openapi import document

STATIC = Path(__file__).parent / "static"

_SCRIPTS_OF_OURS = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>cpor API</title>
<link rel="icon" href="/static/swagger-ui/favicon-32x32.png">
<link rel="stylesheet" href="/static/swagger-ui/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<noscript><p>Without JavaScript, read <a href="/openapi.json">/openapi.json</a>.</p></noscript>
<script src="/static/swagger-ui/swagger-ui-bundle.js"></script>
<script src="/static/docs.js"></script>
</body>
</html>
"""
router = APIRouter()


@router.get("/docs", include_in_schema=False)
async def read() -> Response:
    """The description, readable."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _SCRIPTS_OF_OURS})


class StaticFolder(StaticFiles):
    """Files that browsers may keep, as long as they ask whether they changed."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file's response."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


class DocumentedApp(FastAPI):
    """An application that describes itself as it is."""

    @override
    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = document(self.routes)
        return self.openapi_schema


def register(app: FastAPI) -> None:
    """Serve the description's page, and what it shows itself with."""
    app.include_router(router)
    app.mount("/static", StaticFolder(directory=STATIC), name="static")
