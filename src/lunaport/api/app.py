"""The HTTP application: routes, what is answered when something goes wrong, and the guard around it all."""

from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from lunaport.api.answers import RequestError, answer, refuse
from lunaport.api.docs import docs_routes
from lunaport.api.guard import Guard
from lunaport.api.metrics import metrics_router
from lunaport.api.nas import nas_router
from lunaport.api.openapi import describe
from lunaport.api.v1 import v1_router
from lunaport.model.errors import DatabaseFailedError, Fault, InvalidError
from lunaport.service.auth import Authenticator
from lunaport.service.errors import ServiceError
from lunaport.service.nas import Nas
from lunaport.service.pace import Pace

_HTTP_FAULTS = {404: Fault.NOT_FOUND, 405: Fault.METHOD_NOT_ALLOWED}


async def _on_action_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, InvalidError | ServiceError | DatabaseFailedError):
        raise error
    return answer(request.url.path, error.problems)


async def _on_request_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestError):
        raise error
    return answer(request.url.path, error.problems, own_words=True, headers=error.headers)


async def _on_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    fault = _HTTP_FAULTS.get(error.status_code, Fault.INTERNAL)
    headers: dict[str, str] = {}
    message = f"there is nothing at {request.url.path[:128]}"
    if fault is Fault.METHOD_NOT_ALLOWED:
        allowed = ", ".join(_methods(request))
        headers["Allow"] = allowed
        message = f"{request.method[:16]} is not possible here; right would be one of: {allowed}"
    elif fault is Fault.INTERNAL:
        message = str(error.detail)
    return answer(request.url.path, refuse(fault, message).problems, headers=headers)


def _methods(request: Request) -> list[str]:
    """The methods that some route knows for the path of the request."""
    app: FastAPI = request.app
    paths: dict[str, dict[str, Any]] = app.openapi()["paths"]
    steps = request.url.path.split("/")
    found: set[str] = set()
    for template, operations in paths.items():
        wanted = template.split("/")
        if len(wanted) == len(steps) and all(
            want == step or want.startswith("{") for want, step in zip(wanted, steps, strict=True)
        ):
            found.update(method.upper() for method in operations)
    return sorted(found) or ["GET"]


class Api(FastAPI):
    """The routes, with our own description of them."""

    def openapi(self) -> dict[str, Any]:
        """The description, made when it is first asked for."""
        if self.openapi_schema is None:
            self.openapi_schema = describe(self.routes)
        return self.openapi_schema


def make_api(nas: Nas) -> FastAPI:
    """The routes, without the guard."""
    app = Api(
        title="Lunaport",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers={
            InvalidError: _on_action_error,
            ServiceError: _on_action_error,
            DatabaseFailedError: _on_action_error,
            RequestError: _on_request_error,
            HTTPException: _on_http_error,
        },
    )
    app.include_router(nas_router(nas))
    app.include_router(v1_router(nas))
    app.include_router(metrics_router(nas))
    app.router.routes.extend(docs_routes())
    return app


def make_app(nas: Nas, authenticator: Authenticator, pace: Pace | None = None) -> ASGIApp:
    """The whole application, as a server runs it."""
    return Guard(make_api(nas), authenticator, pace)
