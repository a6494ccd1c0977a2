"""Users and tokens in the database."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from lunaport.model.user import Role, Token, User
from lunaport.store.tables import TOKEN, USER


def _user_of(row: RowMapping) -> User:
    return User(
        name=row["name"], password_hash=row["password_hash"], created_at=row["created_at"], role=Role(row["role"])
    )


def _token_of(row: RowMapping) -> Token:
    return Token(
        id=row["id"],
        name=row["name"],
        user=row["user"],
        role=Role(row["role"]),
        digest=row["digest"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


def read_all(connection: Connection) -> Sequence[User]:
    """All users by name."""
    return [_user_of(row) for row in connection.execute(select(USER).order_by(USER.c.name)).mappings()]


def read(connection: Connection, name: str) -> User | None:
    """A user by name."""
    row = connection.execute(select(USER).where(USER.c.name == name)).mappings().one_or_none()
    return None if row is None else _user_of(row)


def exist(connection: Connection) -> bool:
    """Whether there is any user."""
    return connection.execute(select(USER.c.name).limit(1)).first() is not None


def _values(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "password_hash": user.password_hash,
        "created_at": user.created_at,
        "role": user.role.value,
    }


def add(connection: Connection, user: User) -> None:
    """Add a user."""
    connection.execute(insert(USER).values(_values(user)))


def replace_user(connection: Connection, user: User) -> None:
    """Store new values for a user."""
    connection.execute(update(USER).where(USER.c.name == user.name).values(_values(user)))


def remove(connection: Connection, name: str) -> None:
    """Remove a user; his tokens go with him."""
    connection.execute(delete(USER).where(USER.c.name == name))


def tokens(connection: Connection) -> Sequence[Token]:
    """All tokens in the order of their ids."""
    return [_token_of(row) for row in connection.execute(select(TOKEN).order_by(TOKEN.c.id)).mappings()]


def token_by_digest(connection: Connection, digest: bytes) -> Token | None:
    """A token, with no more than the role that its user has now."""
    row = connection.execute(select(TOKEN).where(TOKEN.c.digest == digest)).mappings().one_or_none()
    if row is None:
        return None
    token = _token_of(row)
    user = read(connection, token.user)
    assert user is not None, "a token goes with its user"
    return token if user.role.allows(token.role) else replace(token, role=user.role)


def add_token(connection: Connection, token: Token) -> Token:
    """Add a token under a new id."""
    values = {
        "name": token.name,
        "user": token.user,
        "role": token.role.value,
        "digest": token.digest,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
    }
    result = connection.execute(insert(TOKEN).values(values))
    assert result.inserted_primary_key is not None
    return replace(token, id=result.inserted_primary_key[0])


def remove_token(connection: Connection, token_id: int) -> None:
    """Remove a token."""
    connection.execute(delete(TOKEN).where(TOKEN.c.id == token_id))
