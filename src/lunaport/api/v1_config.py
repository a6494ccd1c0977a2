"""`/api/v1/config`: everything that is configured, as one document."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from lunaport.api.answers import refuse
from lunaport.api.v1_config_models import ApplyOut, ConfigIn
from lunaport.api.v1_config_words import apply_out, config_document, config_out
from lunaport.api.v1_routes import CHANGING, READING, described_body, errors
from lunaport.api.v1_words import read_document
from lunaport.model.errors import Fault
from lunaport.service.actions import ApplyDocument, PlanDocument
from lunaport.service.nas import Nas

_BOOLEAN = {"enum": ["true", "false"]}
PlanOnly = Annotated[
    str, Query(alias="plan", description="`true`: change nothing, say what would be.", json_schema_extra=_BOOLEAN)
]
Prune = Annotated[
    str,
    Query(
        description="`true`: what the document's sections do not name goes. Else it stays, and is told.",
        json_schema_extra=_BOOLEAN,
    ),
]


def parse_boolean(text: str, name: str) -> bool:
    """A parameter that is true or false. Raises RequestError."""
    if text not in ("true", "false"):
        raise refuse(Fault.PARAMETER_INVALID, "is neither true nor false", name)
    return text == "true"


def add_config_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes."""

    @router.get(
        "/config",
        tags=["configuration"],
        operation_id="get_config",
        response_model_exclude_none=True,
        responses=errors(*READING, 403),
    )
    async def get_config() -> ConfigIn:
        """Everything that is configured, as the document that `PUT` takes; without secrets. For administrators."""
        return config_out(await nas.configuration())

    @router.put(
        "/config",
        tags=["configuration"],
        operation_id="put_config",
        responses=errors(*CHANGING),
        openapi_extra=described_body(ConfigIn),
    )
    async def put_config(request: Request, plan: PlanOnly = "false", prune: Prune = "false") -> ApplyOut:
        """Make what the document says: all of it, or nothing. May be repeated. For administrators."""
        prunes, only_plan = parse_boolean(prune, "prune"), parse_boolean(plan, "plan")
        document = config_document(await read_document(request, ConfigIn))
        if only_plan:
            return apply_out(await nas.perform(PlanDocument(document=document, prune=prunes)))
        return apply_out(await nas.perform(ApplyDocument(document=document, prune=prunes)))
