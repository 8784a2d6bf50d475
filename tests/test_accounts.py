"""What is found wrong with what members tell: it can be found, each kind of it."""

import pytest

from accounts import Account, Asked, Finding, Heard, Kept, Roll, findings, story


def three() -> list[Account]:
    """Ann, Bob and Cid, who told each other something, and of whom all is well."""
    ann = Account("Ann", [Asked("ann-1"), Asked("ann-2", "Bob"), Asked("ann-3")])
    bob = Account("Bob", [Asked("bob-1")])
    cid = Account("Cid", [Asked("cid-1", "Ann")])
    told = [
        Heard(0.1, "said", 4, "Ann", text="ann-1"),
        Heard(0.2, "whispered", 5, "Ann", "Bob", "ann-2"),
        Heard(0.3, "said", 6, "Bob", text="bob-1"),
        Heard(0.4, "said", 8, "Ann", text="ann-3"),
        Heard(0.5, "whispered", 9, "Cid", "Ann", "cid-1"),
    ]
    ann.heard = [Heard(0, "joined", 2, "Bob"), Heard(0, "joined", 3, "Cid"), *told]
    bob.heard = [Heard(0, "joined", 3, "Cid"), *told[:-1]]
    cid.heard = [heard for heard in told if heard.id != 5]
    return [ann, bob, cid]


FILE = [Kept(4, "Ann", "ann-1"), Kept(6, "Bob", "bob-1"), Kept(8, "Ann", "ann-3")]


def test_nothing_is_wrong_where_nothing_is() -> None:
    """In memory, and with a file."""
    assert findings(three()) == []
    assert findings(three(), {"file": FILE}) == []


@pytest.mark.parametrize("who", [0, 1, 2])
def test_what_somebody_did_not_hear_is_lost(who: int) -> None:
    """Whoever it is; of its author it is not confirmed as well."""
    accounts = three()
    accounts[who].heard = [heard for heard in accounts[who].heard if heard.text != "ann-3"]
    assert Finding("lost", accounts[who].handle, "ann-3") in findings(accounts)
    assert (Finding("never confirmed", "Ann", "ann-3") in findings(accounts)) == (who == 0)


def test_what_nobody_heard_is_lost() -> None:
    """What was asked for and never came is not forgotten."""
    accounts = three()
    accounts[1].asked.append(Asked("bob-2"))
    assert findings(accounts) == [
        Finding("lost", "Ann", "bob-2"),
        Finding("never confirmed", "Bob", "bob-2"),
        Finding("lost", "Bob", "bob-2"),
        Finding("lost", "Cid", "bob-2"),
    ]


def test_what_was_told_again_is_doubled() -> None:
    """With its id, which does not grow then."""
    accounts = three()
    accounts[2].heard.append(accounts[2].heard[2])
    assert findings(accounts) == [
        Finding("id 8 after 9", "Cid", "ann-3"),
        Finding("doubled", "Cid", "ann-3"),
    ]


def test_what_was_said_again_is_doubled() -> None:
    """With an id of its own, at all."""
    accounts = three()
    for account in accounts:
        account.heard.append(Heard(0.6, "said", 10, "Bob", text="bob-1"))
    doubled = [Finding("doubled", name, "bob-1") for name in ("Ann", "Bob", "Cid", "file")]
    assert findings(accounts, {"file": [*FILE, Kept(10, "Bob", "bob-1")]}) == doubled


def test_another_order_is_found() -> None:
    """Of two events at one member."""
    accounts = three()
    heard = accounts[2].heard
    heard[0], heard[1] = heard[1], heard[0]
    assert findings(accounts) == [Finding("id 4 after 6", "Cid", "ann-1")]


def test_answers_out_of_order_are_found() -> None:
    """Also where their ids grow."""
    accounts = three()
    asked = accounts[0].asked
    asked[0], asked[2] = asked[2], asked[0]
    assert findings(accounts) == [Finding("confirmed in another order than asked", "Ann")]


def test_an_id_of_two_events_is_found() -> None:
    """One order for all."""
    accounts = three()
    accounts[2].heard[1] = Heard(0.3, "said", 7, "Bob", text="bob-1")
    accounts[1].heard.append(Heard(0.6, "joined", 7, "Dee"))
    assert findings(accounts) == [
        Finding("another event has the id 7", "Cid", "bob-1"),
        Finding("id 7 after 8", "Bob"),
    ]


def test_a_whisper_that_another_heard_is_found() -> None:
    """Whoever it was meant for heard it too."""
    accounts = three()
    accounts[2].heard.insert(1, accounts[1].heard[2])
    assert findings(accounts) == [Finding("not due", "Cid", "ann-2")]


@pytest.mark.parametrize("who", [0, 1])
def test_a_whisper_that_did_not_arrive_is_lost(who: int) -> None:
    """At its reader, or its receipt at its author."""
    accounts = three()
    accounts[who].heard = [heard for heard in accounts[who].heard if heard.text != "ann-2"]
    assert Finding("lost", accounts[who].handle, "ann-2") in findings(accounts)


@pytest.mark.parametrize(
    "heard",
    [
        Heard(0.6, "left", 10, "Ann", text="connection lost"),
        Heard(0.6, "refused", 10, text="handle-taken"),
        Heard(0.6, "new stay"),
        Heard(0.6, "renamed", 10, "Ann", text="Eve"),
    ],
)
def test_who_is_disturbed_says_so(heard: Heard) -> None:
    """Nobody leaves, is refused anything, loses its place, or is called otherwise."""
    accounts = three()
    accounts[1].heard.append(heard)
    what = f"{heard.kind} {heard.handle}".rstrip()
    assert findings(accounts) == [Finding(what, "Bob", heard.text)]


def test_who_joins_again_was_away_for_others() -> None:
    """All hear of each once at most."""
    accounts = three()
    accounts[0].heard.append(Heard(0.6, "joined", 10, "Bob"))
    assert findings(accounts) == [Finding("Bob joined again", "Ann")]


def test_what_a_server_warns_of_is_no_disturbance() -> None:
    """It has no id, and nobody missed it."""
    accounts = three()
    accounts[1].heard.append(Heard(0.6, "moderated", text="messages wait"))
    assert findings(accounts) == []
    accounts[2].heard.append(Heard(0.6, "moderated", 10, text="Bob was muted by Server"))
    assert findings(accounts) == [Finding("moderated", "Cid", "Bob was muted by Server")]


@pytest.mark.parametrize(
    ("file", "finding"),
    [
        (FILE[1:], Finding("lost", "file", "ann-1")),
        ([*FILE, FILE[-1]], Finding("doubled", "file", "ann-3")),
        ([*FILE, Kept(9, "Cid", "cid-1")], Finding("not due", "file", "cid-1")),
        ([Kept(3, "Ann", "ann-1"), *FILE[1:]], Finding("nobody heard it so", "file", "ann-1")),
        ([FILE[1], FILE[0], FILE[2]], Finding("ids out of order", "file")),
    ],
)
def test_a_file_that_is_not_what_was_said_is_found(file: list[Kept], finding: Finding) -> None:
    """Less, more, otherwise, or a whisper."""
    assert findings(three(), {"file": file}) == [finding]


# ---- those who come and go


def passer() -> Account:
    """Dee, who has no token: it was here from 7 to 9, and what it said last may be lost."""
    dee = Account("Dee", [Asked("dee-1"), Asked("dee-2")])
    dee.heard = [Heard(0.4, "said", handle="Ann", text="ann-3")]
    return dee


def with_passer() -> list[Account]:
    """The three, and what they were told of Dee, who was heard once."""
    accounts = three()
    for account in accounts:
        account.heard = [heard._replace(id=heard.id * 10) for heard in account.heard]
        account.heard.insert(-1, Heard(0.35, "joined", 70, "Dee"))
        account.heard.insert(-1, Heard(0.35, "said", 71, "Dee", text="dee-1"))
        account.heard.append(Heard(0.7, "left", 99, "Dee", text="connection lost"))
        account.heard.sort(key=lambda heard: heard.id)
    return accounts


def test_who_has_no_token_may_come_and_go() -> None:
    """And what it said last need not be told, as long as all are told the same."""
    assert findings(with_passer(), guests=[passer()]) == []
    assert Finding("joined again", "Ann") not in findings(with_passer())
    assert findings(with_passer()) != []


def test_what_a_passer_said_is_with_all_or_with_nobody() -> None:
    """Once."""
    accounts = with_passer()
    accounts[2].heard = [heard for heard in accounts[2].heard if heard.text != "dee-1"]
    assert findings(accounts, guests=[passer()]) == [Finding("lost", "Cid", "dee-1")]
    accounts = with_passer()
    for account in accounts:
        account.heard.append(Heard(0.7, "said", 100, "Dee", text="dee-1"))
    doubled = [Finding("doubled", name, "dee-1") for name in ("Ann", "Bob", "Cid")]
    assert findings(accounts, guests=[passer()]) == [
        *doubled,
        Finding("said with gaps", "Dee", "dee-1"),
    ]


def test_what_a_passer_said_has_no_gaps() -> None:
    """Of what it said the last may be missing, and nothing before what was told."""
    dee = passer()
    dee.asked.insert(0, Asked("dee-0"))
    assert findings(with_passer(), guests=[dee]) == [Finding("said with gaps", "Dee", "dee-1")]


@pytest.mark.parametrize(
    ("texts", "finding"),
    [
        (["bob-1", "ann-3"], []),
        (["ann-1", "ann-3"], [Finding("heard with gaps", "Dee", "ann-3")]),
        (["ann-3", "ann-3"], [Finding("heard with gaps", "Dee", "ann-3")]),
        (["eve-1"], [Finding("heard with gaps", "Dee", "eve-1")]),
        ([], []),
    ],
)
def test_what_a_passer_heard_has_no_gaps(texts: list[str], finding: list[Finding]) -> None:
    """From when it came until it went."""
    dee = passer()
    dee.heard = [Heard(0, "said", text=text) for text in texts]
    assert findings(with_passer(), guests=[dee]) == finding


def test_a_whisper_that_a_passer_heard_is_found() -> None:
    """Nobody whispers to it."""
    dee = passer()
    dee.heard.append(Heard(0, "whispered", text="ann-2"))
    assert findings(with_passer(), guests=[dee]) == [Finding("not due", "Dee", "ann-2")]


# ---- handles


def with_rolls() -> list[Account]:
    """Those three, and what their welcomes told them; Cid has come back later."""
    accounts = with_passer()
    here = ("Ann", "Bob", "Cid")
    for number, account in enumerate(accounts, 1):
        account.rolls.append(Roll(10 * number, here[:number]))
    accounts[2].rolls.append(Roll(85, ("Ann", "Bob", "Cid", "Dee")))
    accounts[2].rolls.append(Roll(99, ("Ann", "Bob", "Cid")))
    return accounts


def test_each_had_a_handle_of_its_own() -> None:
    """As joined, left and renamed tell it, and all rosters."""
    assert findings(with_rolls(), guests=[passer()]) == []


@pytest.mark.parametrize(
    ("heard", "what"),
    [
        (Heard(0.6, "joined", 72, "dee"), "two are called dee"),
        (Heard(0.6, "joined", 25, "Ann"), "two are called Ann"),
        (Heard(0.6, "left", 60, "Dee"), "left without being here"),
        (Heard(0.6, "renamed", 72, "Dee", text="cid"), "two are called cid"),
        (Heard(0.6, "renamed", 60, "Dee", text="Eve"), "left without being here"),
    ],
)
def test_two_with_one_handle_are_found(heard: Heard, what: str) -> None:
    """However they got it; case does not count."""
    accounts = with_rolls()
    accounts[0].heard.append(heard)
    assert what in [finding.what for finding in findings(accounts, guests=[passer()])]


@pytest.mark.parametrize(
    "roll", [Roll(85, ("Ann", "Bob", "Cid")), Roll(71, ("Ann", "Bob", "Cid", "Dee", "Eve"))]
)
def test_a_roster_that_is_not_so_is_found(roll: Roll) -> None:
    """Less than who is here, or more."""
    accounts = with_rolls()
    accounts[0].rolls.append(roll)
    [finding] = findings(accounts, guests=[passer()])
    assert finding.what == f"another roster at {roll.last}"
    assert finding.who == "Ann"


def test_a_story_tells_who_heard_it_and_what_happened_to_who_did_not() -> None:
    """Around that time, and no more."""
    accounts = three()
    del accounts[1].heard[-1]
    accounts[1].happened = [(0.3, "cut"), (0.35, "back after 6"), (7.0, "cut")]
    assert story(Finding("lost", "Bob", "ann-3"), accounts) == [
        "lost: Bob ann-3",
        "  asked by Ann",
        "     0.100 said 8 heard by Ann, Cid",
        "     0.000 Bob: cut",
        "     0.050 Bob: back after 6",
    ]
