"""Users and tokens: what is legal, and that an administrator is always left."""

import pytest

from lunaport.model.errors import Fault, InvalidError
from lunaport.model.user import NAS_ITSELF, Actor, Role, User
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
from lunaport.service.errors import ConflictError, ForbiddenError, NotFoundError
from lunaport.service.nas import Nas
from lunaport.service.users import TOKENS_MAX

pytestmark = pytest.mark.anyio


async def add(nas: Nas, name: str = "carol", role: Role = Role.OPERATOR) -> User:
    return await nas.perform(CreateUser(name=name, password=f"{name}-password", role=role))


async def as_user(nas: Nas, name: str, role: Role, way: str = "password") -> Actor:
    actor = Actor(user=name, role=role, way=way)
    CURRENT.set(actor)
    return actor


async def token(nas: Nas, name: str = "script", role: Role = Role.VIEWER, days: float | None = None) -> NewToken:
    return await nas.perform(CreateToken(name=name, role=role, days=days))


async def test_a_user_comes_changes_and_goes(nas: Nas) -> None:
    await add(nas, "boss", Role.ADMIN)
    carol = await add(nas)
    assert carol.password_hash.startswith("$argon2id$")
    assert [user.name for user in await nas.users()] == ["boss", "carol"]
    changed = await nas.perform(UpdateUser(name="carol", role=Role.VIEWER))
    assert (changed.role, changed.password_hash) == (Role.VIEWER, carol.password_hash)
    changed = await nas.perform(UpdateUser(name="carol", password="another-one"))
    assert changed.role is Role.VIEWER
    assert changed.password_hash != carol.password_hash
    await nas.perform(DeleteUser(name="carol"))
    with pytest.raises(NotFoundError):
        await nas.user("carol")


async def test_what_is_no_user(nas: Nas) -> None:
    await add(nas)
    with pytest.raises(ConflictError) as taken:
        await add(nas)
    assert taken.value.problems[0].fault is Fault.USER_NAME_TAKEN
    for wrong in (
        CreateUser(name="Carol", password="long-enough", role=Role.VIEWER),
        CreateUser(name="dave", password="short", role=Role.VIEWER),
        UpdateUser(name="carol", password="short"),
    ):
        with pytest.raises(InvalidError):
            await nas.perform(wrong)
    for missing in (UpdateUser(name="nobody", role=Role.ADMIN), DeleteUser(name="nobody")):
        with pytest.raises(NotFoundError):
            await nas.perform(missing)


async def test_an_administrator_is_always_left(nas: Nas) -> None:
    await add(nas, "boss", Role.ADMIN)
    for last in (DeleteUser(name="boss"), UpdateUser(name="boss", role=Role.OPERATOR)):
        with pytest.raises(ConflictError, match="the last administrator"):
            await nas.perform(last)
    await add(nas, "other", Role.ADMIN)
    await nas.perform(UpdateUser(name="boss", role=Role.OPERATOR))
    with pytest.raises(ConflictError):
        await nas.perform(DeleteUser(name="other"))
    await nas.perform(DeleteUser(name="boss"))


async def test_ones_own_password(nas: Nas) -> None:
    carol = await add(nas)
    await as_user(nas, "carol", Role.OPERATOR)
    with pytest.raises(ForbiddenError, match="is not your present password"):
        await nas.perform(ChangeOwnPassword(present="wrong-password", password="new-password"))
    changed = await nas.perform(ChangeOwnPassword(present="carol-password", password="new-password"))
    assert changed.password_hash != carol.password_hash
    with pytest.raises(InvalidError):
        await nas.perform(ChangeOwnPassword(present="new-password", password="short"))
    await as_user(nas, "carol", Role.OPERATOR, "token script")
    with pytest.raises(ForbiddenError, match="a token cannot change the password"):
        await nas.perform(ChangeOwnPassword(present="new-password", password="newer-password"))
    CURRENT.set(NAS_ITSELF)


async def test_tokens_are_ones_own(nas: Nas) -> None:
    await add(nas)
    await add(nas, "dave", Role.VIEWER)
    await as_user(nas, "carol", Role.OPERATOR)
    made = await token(nas, days=2)
    assert made.text.startswith("lunaport_")
    assert len(made.text) > 50
    assert made.text not in repr(made)
    assert made.token.expires_at == made.token.created_at + 2 * 86400
    assert [each.name for each in await nas.tokens()] == ["script"]
    with pytest.raises(ForbiddenError, match="is higher than yours; right would be operator or less"):
        await token(nas, "more", Role.ADMIN)
    with pytest.raises(ConflictError, match="is a token of yours already"):
        await token(nas)
    for days in (0, -1, 3651, float("nan")):
        with pytest.raises(InvalidError, match=r"days: is not usable; right would be more than 0"):
            await token(nas, "other", days=days)

    await as_user(nas, "dave", Role.VIEWER)
    assert await nas.tokens() == []
    with pytest.raises(NotFoundError):
        await nas.perform(DeleteToken(token_id=made.token.id))
    await token(nas)

    await as_user(nas, "boss", Role.ADMIN)
    assert [(each.user, each.name) for each in await nas.tokens()] == [("carol", "script"), ("dave", "script")]
    await nas.perform(DeleteToken(token_id=made.token.id))
    assert [each.user for each in await nas.tokens()] == ["dave"]
    CURRENT.set(NAS_ITSELF)


async def test_tokens_are_bounded(nas: Nas) -> None:
    await add(nas)
    await as_user(nas, "carol", Role.OPERATOR)
    for number in range(TOKENS_MAX):
        await token(nas, f"t{number}")
    with pytest.raises(ConflictError, match=f"you have {TOKENS_MAX} tokens"):
        await token(nas, "one-more")
    CURRENT.set(NAS_ITSELF)
