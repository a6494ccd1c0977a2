"""The interactive documentation at `/api/docs`, from assets that come with the program: it works without internet."""

from importlib import import_module
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

ASSETS: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Lunaport API</title>
<link rel="icon" type="image/png" href="/api/docs/favicon-32x32.png">
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
"""
_START: Final = """SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  dom_id: "#page",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis]
});
"""
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_CACHED: Final = {"Cache-Control": "max-age=3600"}


def _asset(name: str) -> FileResponse:
    # The package has no type information.
    folder = Path(import_module("swagger_ui_bundle").swagger_ui_path)
    return FileResponse(folder / name, media_type=ASSETS[name], headers=_CACHED)


async def _page(_: Request) -> Response:
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


async def _start(_: Request) -> Response:
    return Response(_START, media_type="text/javascript", headers=_CACHED)


async def _file(request: Request) -> Response:
    name = request.path_params["name"]
    return _asset(name) if name in ASSETS else Response(status_code=404)


async def _icon(_: Request) -> Response:
    return _asset("favicon-32x32.png")


async def _home(_: Request) -> Response:
    return RedirectResponse("/api/docs", status_code=307)


async def _description(request: Request) -> Response:
    return JSONResponse(request.app.openapi())


def docs_routes() -> list[BaseRoute]:
    """The page, its assets, the description, and the way there from `/`."""
    return [
        Route("/", _home),
        Route("/favicon.ico", _icon),
        Route("/api/docs", _page),
        Route("/api/docs/start.js", _start),
        Route("/api/docs/{name}", _file),
        Route("/api/v1/openapi.json", _description),
    ]
