"""Values for property tests, and the names that the tests use."""

from hypothesis import strategies as st

from lunaport.isns.attribute import Attribute
from lunaport.isns.entity import Entity, Node, Portal
from lunaport.isns.message import Message

ENTITY = "lunaport-test"


def node(short: str) -> Node:
    """A target."""
    return Node(name=f"iqn.2026-11.test:{short}", alias=short)


def entity(*shorts: str, portals: tuple[Portal, ...] = (Portal(address="192.0.2.1", port=3260),)) -> Entity:
    """Ours with these targets."""
    return Entity(identifier=ENTITY, portals=portals, nodes=tuple(map(node, shorts)))


attributes = st.builds(
    lambda tag, words: Attribute(tag=tag, value=b"".join(words)),
    st.integers(0, 0xFFFFFFFF),
    st.lists(st.binary(min_size=4, max_size=4), max_size=8),
)
requests = st.builds(
    Message,
    function=st.integers(0, 0x7FFF),
    transaction_id=st.integers(0, 0xFFFF),
    attributes=st.lists(attributes, max_size=12).map(tuple),
    from_server=st.booleans(),
    replace=st.booleans(),
)
responses = st.builds(
    Message,
    function=st.integers(0x8000, 0xFFFF),
    transaction_id=st.integers(0, 0xFFFF),
    attributes=st.lists(attributes, max_size=12).map(tuple),
    status=st.integers(0, 0xFFFFFFFF),
    from_server=st.booleans(),
)
messages = requests | responses
