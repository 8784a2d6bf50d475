import pytest
from hypothesis import given
from hypothesis import strategies as st

from triochat.members import Members
from triochat.messages import Refused
from triochat.order import HOUSE, Peer
from triochat.text import handle_key, skeletons

ANN, BOB, CID = Peer("ann"), Peer("bob"), Peer("cid")
BOSS, MATE = Peer("boss", is_console=True), Peer("mate", is_console=True)


def here(*peers: Peer, max_clients: int = 1000) -> Members:
    """A room in which these peers are, each under its own name; the operator as ``Server``."""
    members = Members("Server", max_clients)
    for peer in peers:
        members.enter(peer, "Server" if peer == BOSS else peer.id.capitalize())
    return members


def taken(handle: str) -> Refused:
    """The refusal of a handle that is somebody else's."""
    return Refused("handle-taken", f'handle "{handle}" is taken; try another')


def reserved(handle: str) -> Refused:
    """The refusal of a handle that nobody can have."""
    return Refused("handle-reserved", f'handle "{handle}" is reserved; try another')


# ---- who is here


def test_nobody() -> None:
    """In an empty room is nobody, and nobody is known."""
    members = here()
    assert (len(members), [*members], members.roster) == (0, [], ())
    assert ANN not in members
    assert HOUSE not in members
    assert members.handle_of(ANN) is None
    assert members.find("Ann") == HOUSE


def test_members() -> None:
    """Members are known by themselves and by their handles, in the order in which they came."""
    members = here(BOB, ANN)
    assert (len(members), [*members]) == (2, [BOB, ANN])
    assert ANN in members
    assert CID not in members
    assert (members[ANN], members.handle_of(ANN), members.find("aNN")) == ("Ann", "Ann", ANN)
    assert members.find("\uff22ob") == BOB


def test_the_roster() -> None:
    """The roster is sorted without regard to case, whoever comes, goes or is renamed."""
    members = here()
    for peer, handle in ((ANN, "bea"), (BOB, "Cid"), (CID, "Ann")):
        members.enter(peer, handle)
    assert members.roster == ("Ann", "bea", "Cid")
    members.rename(CID, "zoe")
    assert [*members.roster] == ["bea", "Cid", "zoe"]
    members.remove(BOB)
    assert [*members.roster] == ["bea", "zoe"]


def test_the_roster_is_one_object_until_it_changes() -> None:
    """However many ask who is here, they are told the same; who comes and goes makes another."""
    members = here(ANN)
    before = members.who
    assert members.who is before
    members.wait(CID, "Cid")
    assert members.who is before
    members.enter(BOB, "Bob")
    assert members.who.handles == ("Ann", "Bob")
    members.rename(BOB, "Rob")
    assert members.who.handles == ("Ann", "Rob")
    members.remove(ANN)
    assert members.who.handles == members.roster == ("Rob",)
    assert before.handles == ("Ann",)


def test_a_room_may_allow_longer_handles() -> None:
    """The most characters in a handle are the room's own; the operator keeps its handle."""
    members = Members("a-name-that-is-too-long", 1, handle_length=12)
    assert members.check(ANN, "deploy-bot-1") == "deploy-bot-1"
    refused = Refused(
        "handle-invalid",
        'handle "deploy-bot-12" has 13 characters; at most 12 are allowed; try another',
    )
    assert members.check(ANN, "deploy-bot-12") == refused
    assert members.check(BOSS, members.server) == members.server


def test_rename() -> None:
    """Who is renamed is known by the new handle alone, and keeps its place among the others."""
    members = here(ANN, BOB)
    members.rename(ANN, "Zoe")
    assert (members[ANN], members.find("Zoe"), members.find("Ann")) == ("Zoe", ANN, HOUSE)
    assert [*members] == [ANN, BOB]
    members.rename(ANN, "ZOE")
    assert members.find("zoe") == ANN
    assert members.roster == ("Bob", "ZOE")


def test_remove() -> None:
    """Who is taken out is known no more, and its handle is free."""
    members = here(ANN, BOB)
    assert members.remove(ANN) == "Ann"
    assert ANN not in members
    assert (members.roster, members.find("Ann"), members.handle_of(ANN)) == (("Bob",), HOUSE, None)
    assert members.check(BOB, "Ann") == "Ann"


# ---- how many


def test_a_full_room() -> None:
    """A room is full when as many clients are in it as may be; operators are not counted."""
    members = here(BOSS, MATE, max_clients=2)
    assert (members.clients, members.is_full) == (0, False)
    members.enter(ANN, "Ann")
    assert (members.clients, members.is_full) == (1, False)
    members.enter(BOB, "Bob")
    assert (members.clients, members.is_full) == (2, True)
    members.remove(BOSS)
    assert (members.clients, members.is_full) == (2, True)
    members.remove(ANN)
    assert (members.clients, members.is_full) == (1, False)


def test_the_queue() -> None:
    """Who waits is no member, is in no roster, and has a handle that is nobody else's."""
    members = here(ANN, max_clients=1)
    members.wait(CID, "Cid")
    members.wait(BOB, "Bob")
    assert members.queue == {CID: "Cid", BOB: "Bob"}
    assert [*members.queue] == [CID, BOB]
    assert CID not in members
    assert (members.roster, len(members), members.clients) == (("Ann",), 1, 1)
    assert (members.handle_of(CID), members.find("CID")) == ("Cid", CID)
    assert members.check(ANN, "cid") == taken("cid")


def test_leaving_the_queue() -> None:
    """Who is taken out of the queue leaves its handle, and takes nobody's place with it."""
    members = here(ANN, max_clients=1)
    members.wait(BOB, "Bob")
    assert members.remove(BOB) == "Bob"
    assert (members.queue, members.find("Bob"), members.clients) == ({}, HOUSE, 1)
    assert members.roster == ("Ann",)


# ---- who may have which handle


@pytest.mark.parametrize(
    ("wanted", "kept"), [("Zoe", "Zoe"), ("\uff3aoe", "Zoe"), ("zo\u0065\u0301", "zo\u00e9")]
)
def test_a_free_handle(wanted: str, kept: str) -> None:
    """A handle that is nobody's is kept in its plain form."""
    assert here(BOSS, ANN).check(BOB, wanted) == kept


@pytest.mark.parametrize("wanted", ["Ann", "aNN", "\uff21nn"])
def test_a_taken_handle(wanted: str) -> None:
    """A handle that somebody wears is nobody else's, however it is spelt; its own is its own."""
    shown = wanted.replace("\uff21", "A")
    assert here(ANN).check(BOB, wanted) == taken(shown)
    assert here(ANN).check(ANN, wanted) == shown


@pytest.mark.parametrize("wanted", ["Ann.", "Ann-", "aNn.", "\u0251nn", "Ann\ua78f"])
def test_a_handle_that_looks_taken(wanted: str) -> None:
    """What readers would take for somebody who is here is refused to others, not to that one."""
    problem = f'handle "{wanted}" looks like "Ann", who is here; try another'
    members = here(ANN)
    assert members.check(BOB, wanted) == Refused("handle-confusable", problem)
    assert members.check(ANN, wanted) == wanted
    members.remove(ANN)
    assert members.check(BOB, wanted) == wanted


def test_a_handle_that_looks_like_one_in_the_queue() -> None:
    """Who waits has a handle that nobody else looks like."""
    members = here(ANN, max_clients=1)
    members.wait(BOB, "Bob")
    problem = 'handle "B0b" looks like "Bob", who waits; try another'
    assert members.check(CID, "B0b") == Refused("handle-confusable", problem)
    members.remove(BOB)
    assert members.check(CID, "B0b") == "B0b"


def test_to_look_like_oneself() -> None:
    """Who calls itself by what looks like its old handle leaves nothing behind."""
    members = here(ANN)
    for handle in ("ann", "Ann.", "\u0251nn", "Bob"):
        assert members.check(ANN, handle) == handle
        members.rename(ANN, handle)
    assert members.check(CID, "Ann") == "Ann"
    assert members.find("Ann") == HOUSE


def test_whom_somebody_means_is_exact() -> None:
    """Nobody is found under a name that only looks like theirs."""
    members = here(ANN)
    for name in ("Ann.", "\u0251nn", "Ann_"):
        assert members.find(name) == HOUSE


def test_numbered_members() -> None:
    """Two thousand who are numbered all get in."""
    members = Members("Server", 9999)
    for number in range(2000):
        assert members.check(Peer(str(number)), f"user{number}") == f"user{number}"
        members.enter(Peer(str(number)), f"user{number}")


@pytest.mark.parametrize(
    "wanted",
    ["_Server", "Server_", "Server.", "Server-", "__server._", "SERVER-", "Serv\u1d07r", "5erver"],
)
def test_what_looks_like_the_server(wanted: str) -> None:
    """Nobody passes for the operator, also while it is away, and not with a frame around it."""
    problem = f'handle "{wanted}" looks like "Server", which is reserved; try another'
    is_other = wanted in ("Serv\u1d07r", "5erver")  # people see that, and Unicode has it so
    expected = wanted if is_other else Refused("handle-reserved", problem)
    assert here(ANN).check(ANN, wanted) == expected
    assert here(BOSS).check(ANN, wanted) == expected


def test_a_frame_around_others() -> None:
    """Only the server's handle is guarded against ``_``: IRC clients call themselves so."""
    assert here(ANN).check(BOB, "Ann_") == "Ann_"
    assert here(ANN).check(BOB, "_Ann") == "_Ann"


def test_the_server_s_handle() -> None:
    """The server's handle is the operator's, as it is spelt there, and nobody else's."""
    members = here(ANN)
    assert members.check(ANN, "server") == reserved("server")
    assert members.check(BOSS, "Server") == "Server"
    assert members.check(BOSS, "\uff33erver") == "Server"
    assert members.check(BOSS, "server") == reserved("server")
    assert members.check(BOSS, "Boss") == "Boss"


def test_the_server_s_handle_is_for_one() -> None:
    """While one operator wears the server's handle, it is taken for all others."""
    members = here(BOSS)
    assert members.check(MATE, "Server") == taken("Server")
    assert members.check(ANN, "SERVER") == taken("SERVER")
    assert members.check(MATE, "Mate") == "Mate"
    members.remove(BOSS)
    assert members.check(MATE, "Server") == "Server"


@pytest.mark.parametrize("server", ["The server", "a-name-that-is-too-long", "you"])
def test_a_server_s_handle_may_be_anything(server: str) -> None:
    """What no client could be called the server may be called."""
    members = Members(server, 1)
    assert members.check(BOSS, server) == server
    assert isinstance(members.check(ANN, server), Refused)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("", "handle-invalid"),
        ("a b", "handle-invalid"),
        ("42", "handle-invalid"),
        ("x" * 11, "handle-invalid"),
        ("you", "handle-reserved"),
    ],
)
def test_no_handle(wanted: str, code: str) -> None:
    """What is no handle is refused to everybody, operators too."""
    for peer in (ANN, BOSS):
        refused = here().check(peer, wanted)
        assert isinstance(refused, Refused)
        assert refused.code == code


def test_checking_changes_nothing() -> None:
    """To ask whether a handle can be had is not to have it."""
    members = here(ANN)
    members.check(BOB, "Bob")
    assert members.find("Bob") == HOUSE
    assert members.check(CID, "Bob") == "Bob"


# ---- whatever happens

PEERS = (ANN, BOB, CID, BOSS, MATE)
deeds = st.tuples(
    st.sampled_from(PEERS),
    st.sampled_from(["enter", "wait", "rename", "remove"]),
    st.sampled_from(
        ["Ann", "ANN", "Ann.", "\u0251nn", "bob", "B0b", "Cid", "Stra\u00dfe", "STRASSE", "Server"]
    )
    | st.sampled_from(
        ["_server", "Iain", "lain", "LAIN", "Ian", "Lan", "\u0441\u043e\u0441\u043e", "coco"]
    ),
)


@given(st.lists(deeds, max_size=30))
def test_any_story(story: list[tuple[Peer, str, str]]) -> None:
    """Whoever comes, waits, is renamed and goes: each handle, and its look, is one's alone."""
    members = Members("Server", 2)
    members.exposed |= {BOB, MATE}
    for peer in PEERS:
        members.servers.come(peer.id, f"{peer.id}'s", 0)
    worn: dict[Peer, str] = {}
    queue: dict[Peer, str] = {}
    for peer, deed, wanted in story:
        handle = members.check(peer, wanted)
        is_known = peer in worn or peer in queue
        if deed == "remove" and is_known:
            assert members.remove(peer) == (worn | queue)[peer]
            worn.pop(peer, None)
            queue.pop(peer, None)
        elif isinstance(handle, Refused):
            continue
        elif deed == "rename" and peer in worn:
            members.rename(peer, handle)
            worn[peer] = handle
        elif deed == "enter" and not is_known:
            members.enter(peer, handle)
            worn[peer] = handle
        elif deed == "wait" and not is_known:
            members.wait(peer, handle)
            queue[peer] = handle
        assert {peer: members[peer] for peer in members} == worn
        assert members.queue == queue
        assert [*members.roster] == sorted(worn.values(), key=handle_key)
        exposed = {worn[peer] for peer in worn if peer in members.exposed}
        assert [*members.who.unencrypted] == sorted(exposed, key=handle_key)
        at = {handle: f"{peer.id}'s" for peer, handle in worn.items()}
        assert members.where.servers == tuple(at[handle] for handle in members.roster)
        assert members.clients == len({*worn} & {ANN, BOB, CID})
        keys = [handle_key(handle) for handle in (worn | queue).values()]
        assert len(set(keys)) == len(keys)
        for looks in zip(*map(skeletons, (worn | queue).values()), strict=True):
            assert len(set(looks)) == len(keys)
        assert all(members.find(handle) == peer for peer, handle in (worn | queue).items())
