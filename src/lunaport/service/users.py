"""Users and their tokens. There is always an administrator left."""

import asyncio
from dataclasses import replace

from lunaport.model.errors import Fault, invalid
from lunaport.model.user import TOKEN_DAYS_MAX, TOKEN_PREFIX, Role, Token, User, check_name, check_password
from lunaport.service.actions import (
    ChangeOwnPassword,
    CreateToken,
    CreateUser,
    DeleteToken,
    DeleteUser,
    NewToken,
    UpdateUser,
)
from lunaport.service.actor import CURRENT
from lunaport.service.auth import token_digest
from lunaport.service.context import Context
from lunaport.service.errors import ConflictError, ForbiddenError, NotFoundError

DAY_S = 86400.0
TOKENS_MAX = 100
"""Of one user."""
USERS_MAX = 1000


async def create_user(context: Context, action: CreateUser) -> User:
    """Carry out CreateUser."""
    check_name(action.name)
    check_password(action.password)
    users = await context.store.users()
    if any(user.name == action.name for user in users):
        raise ConflictError(Fault.USER_NAME_TAKEN, f"{action.name!r} is a user already", ("name",), (action.name,))
    if len(users) >= USERS_MAX:
        raise ConflictError(Fault.USER_NAME_TAKEN, f"there are {USERS_MAX} users; remove one first", ("name",))
    hashed = await asyncio.to_thread(context.hasher.hash, action.password)
    user = User(name=action.name, password_hash=hashed, created_at=context.clock(), role=action.role)
    await context.store.add_user(user)
    return user


async def update_user(context: Context, action: UpdateUser) -> User:
    """Carry out UpdateUser."""
    user = await _existing(context, action.name)
    if action.role is not None and action.role is not user.role:
        await _check_admin_left(context, user)
        user = replace(user, role=action.role)
    if action.password is not None:
        user = await _with_password(context, user, action.password)
    await context.store.replace_user(user)
    return user


async def change_own_password(context: Context, action: ChangeOwnPassword) -> User:
    """Carry out ChangeOwnPassword."""
    actor = CURRENT.get()
    if actor.way != "password":
        raise ForbiddenError(Fault.FORBIDDEN, "a token cannot change the password; log in with the present one")
    user = await _existing(context, actor.user)
    if not await asyncio.to_thread(context.hasher.verify, user.password_hash, action.present):
        raise ForbiddenError(Fault.PASSWORD_WRONG, "is not your present password", ("present",))
    user = await _with_password(context, user, action.password)
    await context.store.replace_user(user)
    return user


async def delete_user(context: Context, action: DeleteUser) -> User:
    """Carry out DeleteUser."""
    user = await _existing(context, action.name)
    await _check_admin_left(context, user)
    await context.store.remove_user(user.name)
    return user


async def create_token(context: Context, action: CreateToken) -> NewToken:
    """Carry out CreateToken."""
    actor = CURRENT.get()
    check_name(action.name)
    if action.days is not None and not 0 < action.days <= TOKEN_DAYS_MAX:
        raise invalid(
            Fault.PARAMETER_INVALID,
            f"is not usable; right would be more than 0 and at most {TOKEN_DAYS_MAX:g} days, or null for ever",
            "days",
        )
    if not actor.role.allows(action.role):
        raise ForbiddenError(
            Fault.ROLE_TOO_LOW, f"is higher than yours; right would be {actor.role} or less", ("role",)
        )
    owner = await _existing(context, actor.user)
    own = [token for token in await context.store.tokens() if token.user == owner.name]
    if any(token.name == action.name for token in own):
        raise ConflictError(
            Fault.USER_NAME_TAKEN, f"{action.name!r} is a token of yours already", ("name",), (action.name,)
        )
    if len(own) >= TOKENS_MAX:
        raise ConflictError(Fault.USER_NAME_TAKEN, f"you have {TOKENS_MAX} tokens; remove one first", ("name",))
    now = context.clock()
    text = f"{TOKEN_PREFIX}{context.new_token()}"
    token = Token(
        id=0,
        name=action.name,
        user=owner.name,
        role=action.role,
        digest=token_digest(text),
        created_at=now,
        expires_at=None if action.days is None else now + action.days * DAY_S,
    )
    return NewToken(token=await context.store.add_token(token), text=text)


async def delete_token(context: Context, action: DeleteToken) -> Token:
    """Carry out DeleteToken."""
    actor = CURRENT.get()
    for token in await context.store.tokens():
        if token.id == action.token_id and (token.user == actor.user or actor.role is Role.ADMIN):
            await context.store.remove_token(token.id)
            return token
    raise NotFoundError("token with the id", action.token_id, ("id",))


async def _existing(context: Context, name: str) -> User:
    user = await context.store.user(name)
    if user is None:
        raise NotFoundError("user", repr(name), ("name",))
    return user


async def _with_password(context: Context, user: User, password: str) -> User:
    check_password(password)
    return replace(user, password_hash=await asyncio.to_thread(context.hasher.hash, password))


async def _check_admin_left(context: Context, user: User) -> None:
    """Whether somebody who may do everything is left without this one."""
    others = [other for other in await context.store.users() if other.name != user.name and other.role is Role.ADMIN]
    if user.role is Role.ADMIN and not others:
        raise ConflictError(
            Fault.USER_LAST_ADMIN, "is the last administrator; make another one first", ("name",), (user.name,)
        )
