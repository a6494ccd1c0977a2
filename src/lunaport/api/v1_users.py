"""`/api/v1/users`, `/api/v1/tokens` and `/api/v1/me`."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from lunaport.api.v1_models import Document, example
from lunaport.api.v1_routes import CHANGING, READING, described_body, errors
from lunaport.api.v1_words import parse_id, read_document, when
from lunaport.model.user import TOKEN_DAYS_MAX, Role, Token, User
from lunaport.service.actions import (
    ChangeOwnPassword,
    CreateToken,
    CreateUser,
    DeleteToken,
    DeleteUser,
    UpdateUser,
)
from lunaport.service.actor import CURRENT
from lunaport.service.nas import Nas

Password = Annotated[str, Field(description="8 to 256 bytes of UTF-8.", json_schema_extra={"writeOnly": True})]
RoleIn = Annotated[
    Literal["viewer", "operator", "admin"], Field(description="Each may do all that the ones before it may.")
]
Name = Annotated[str, Path(description="The user's name.", json_schema_extra={"example": "admin"})]
Id = Annotated[str, Path(description="The token's id.", json_schema_extra={"example": "1"})]


class UserIn(Document):
    """A user to add."""

    model_config = example({"name": "carol", "password": "carols-password", "role": "operator"})

    name: str = Field(description="1 to 63 of a-z, 0-9, dot, dash, underscore.")
    password: Password
    role: RoleIn


class UserPatch(Document):
    """Changes to a user; what is left out or null stays."""

    model_config = example({"role": "viewer"})

    password: Password | None = None
    role: RoleIn | None = None


class PasswordIn(Document):
    """One's own new password."""

    model_config = example({"present": "carols-password", "password": "carols-new-password"})

    present: Password
    password: Password


class UserOut(Document):
    """A user; his password is never told."""

    name: str
    role: Role
    created_at: datetime


class UserList(Document):
    """All users by name."""

    items: list[UserOut]


class MeOut(Document):
    """Who asks."""

    name: str
    role: Role = Field(description="Of the token, where one is used.")
    way: str = Field(description="`password`, or `token` and its name.")


class TokenIn(Document):
    """A token to make for oneself."""

    model_config = example({"name": "backup-script", "role": "viewer", "days": 90})

    name: str = Field(description="1 to 63 of a-z, 0-9, dot, dash, underscore; another one for each of your tokens.")
    role: RoleIn
    days: float | None = Field(default=None, description=f"At most {TOKEN_DAYS_MAX:g}; null: it does not expire.")


class TokenOut(Document):
    """A token, without its text."""

    id: int
    name: str
    user: str
    role: Role
    created_at: datetime
    expires_at: datetime | None


class NewTokenOut(TokenOut):
    """A token that was just made."""

    token: str = Field(description="Told only now: keep it. Send it as `Authorization: Bearer`.")


class TokenList(Document):
    """Your tokens; for an administrator everybody's."""

    items: list[TokenOut]


def user_out(user: User) -> UserOut:
    """A user as a document."""
    return UserOut(name=user.name, role=user.role, created_at=when(user.created_at))


def token_out(token: Token) -> TokenOut:
    """A token as a document."""
    return TokenOut(
        id=token.id,
        name=token.name,
        user=token.user,
        role=token.role,
        created_at=when(token.created_at),
        expires_at=None if token.expires_at is None else when(token.expires_at),
    )


def add_user_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes of users."""

    @router.get("/users", tags=["users"], operation_id="list_users", responses=errors(*READING, 403))
    async def list_users() -> UserList:
        """All users by name. For administrators."""
        return UserList(items=[user_out(user) for user in await nas.users()])

    @router.post(
        "/users",
        status_code=201,
        tags=["users"],
        operation_id="create_user",
        responses=errors(*CHANGING),
        openapi_extra=described_body(UserIn),
    )
    async def create_user(request: Request, response: Response) -> UserOut:
        """Add a user. For administrators."""
        document = await read_document(request, UserIn)
        user = await nas.perform(CreateUser(name=document.name, password=document.password, role=Role(document.role)))
        response.headers["Location"] = f"{request.url.path}/{user.name}"
        return user_out(user)

    @router.get("/users/{name}", tags=["users"], operation_id="get_user", responses=errors(*READING, 403, 404))
    async def get_user(name: Name) -> UserOut:
        """One user. For administrators."""
        return user_out(await nas.user(name))

    @router.patch(
        "/users/{name}",
        tags=["users"],
        operation_id="patch_user",
        responses=errors(*CHANGING, 404),
        openapi_extra=described_body(UserPatch),
    )
    async def patch_user(name: Name, request: Request) -> UserOut:
        """Change a user's password or role. For administrators."""
        document = await read_document(request, UserPatch)
        role = None if document.role is None else Role(document.role)
        return user_out(await nas.perform(UpdateUser(name=name, password=document.password, role=role)))

    @router.delete(
        "/users/{name}",
        status_code=204,
        tags=["users"],
        operation_id="delete_user",
        responses=errors(401, 403, 404, 409, 500, 503),
    )
    async def delete_user(name: Name) -> None:
        """Remove a user and his tokens. For administrators; the last of them cannot be removed."""
        await nas.perform(DeleteUser(name=name))


def add_own_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes of what is one's own."""

    @router.get("/me", tags=["users"], operation_id="get_me", responses=errors(*READING))
    async def get_me() -> MeOut:
        """Who you are to the NAS."""
        actor = CURRENT.get()
        return MeOut(name=actor.user, role=actor.role, way=actor.way)

    @router.put(
        "/me/password",
        status_code=204,
        tags=["users"],
        operation_id="put_my_password",
        responses=errors(*CHANGING),
        openapi_extra=described_body(PasswordIn),
    )
    async def put_my_password(request: Request) -> None:
        """Give yourself another password. Your tokens stay."""
        document = await read_document(request, PasswordIn)
        await nas.perform(ChangeOwnPassword(present=document.present, password=document.password))

    @router.get("/tokens", tags=["users"], operation_id="list_tokens", responses=errors(*READING))
    async def list_tokens() -> TokenList:
        """Your tokens; for an administrator everybody's."""
        return TokenList(items=[token_out(token) for token in await nas.tokens()])

    @router.post(
        "/tokens",
        status_code=201,
        tags=["users"],
        operation_id="create_token",
        responses=errors(*CHANGING, 404),
        openapi_extra=described_body(TokenIn),
    )
    async def create_token(request: Request, response: Response) -> NewTokenOut:
        """Make a token for yourself, with your role or less. Its text is told only now."""
        document = await read_document(request, TokenIn)
        made = await nas.perform(CreateToken(name=document.name, role=Role(document.role), days=document.days))
        response.headers["Location"] = f"{request.url.path}/{made.token.id}"
        return NewTokenOut(**token_out(made.token).model_dump(), token=made.text)

    @router.delete(
        "/tokens/{token_id}",
        status_code=204,
        tags=["users"],
        operation_id="delete_token",
        responses=errors(401, 403, 404, 500, 503),
    )
    async def delete_token(token_id: Id) -> None:
        """Remove a token of yours; as administrator anybody's. It stops working at once."""
        await nas.perform(DeleteToken(token_id=parse_id(token_id)))
