import trio
import trio.testing

from doubles import Street, Stub, Typist, sitting
from house import open_house
from triochat.grammar import Ignore
from triochat.ignored import Ignored
from triochat.messages import Joined, Left, Notice, Refused, Renamed, Said, Welcome, Whispered
from triochat.stay import Stay

ANN = Ignored(("Ann",))


def test_only_words_are_hidden() -> None:
    """What one who is ignored says, whispers or does is hidden; not what happens, or others say."""
    for event in (
        Said(1, "", "Ann", "hi"),
        Said(1, "", "Ann", "waves", action=True),
        Whispered(1, "", "Ann", "Bob", "psst"),
    ):
        assert ANN.hides(event)
        assert not Ignored().hides(event)
    for shown in (
        Said(1, "", "Bob", "Ann> hi"),
        Whispered(1, "", "Bob", "Ann", "psst"),
        Joined("Ann"),
        Left("Ann", "quit"),
        Renamed("Ann", "Zoe"),
        Notice("Ann"),
    ):
        assert not ANN.hides(shown)


def test_it_follows_the_person() -> None:
    """Who takes another handle is ignored under that, and whoever takes the old one is not."""
    assert ANN.after(Renamed("Ann", "Zoe")) == Ignored(("Zoe",))
    assert ANN.after(Renamed("Bob", "Rob")) is ANN
    assert ANN.after(Left("Ann", "quit")) is ANN


def test_what_can_be_asked() -> None:
    """Somebody who is here is ignored, however the handle is spelt; once, and not oneself."""
    bob = Stay()
    bob.hear(Welcome("Bob", "S", ("Ann", "Bob", "Cid")))
    both, told = ANN.change(Ignore("cID"), bob)
    assert both == Ignored(("Ann", "Cid"))
    again = "\\unignore Cid shows it again"
    assert told == Notice(f"what Cid says is not shown to you any more; {again}")
    assert both.change(Ignore("ANN"), bob)[0] == Ignored(("Cid", "Ann"))
    assert both.change(Ignore(), bob) == (both, Notice("ignored: Ann, Cid"))
    assert Ignored().change(Ignore(), bob)[1] == Notice("you ignore nobody")
    bob.hear(Left("Ann", "quit"))
    assert both.change(Ignore("ann", is_on=False), bob) == (
        Ignored(("Cid",)),
        Notice("what Ann says is shown again"),
    )
    for asked, code in (
        (Ignore("bob"), "not-allowed"),
        (Ignore("Eve"), "no-such-handle"),
        (Ignore("Bob", is_on=False), "no-such-handle"),
    ):
        same, refused = ANN.change(asked, bob)
        assert same is ANN
        assert isinstance(refused, Refused)
        assert refused.code == code


async def test_somebody_is_ignored_at_a_terminal() -> None:
    """Nothing of what they say is shown there, till unignored; nobody else misses anything."""
    async with open_house() as house:
        ann, cid, typist = await house.plain("Ann"), await house.plain("Cid"), Typist()
        async with sitting(typist, house.listener.connect, "Bob"):
            await typist.type("\\ignore ann")
            del typist.screen[:]
            await ann.type("spam", "spam > Bob", "\\me spams", "\\nick Zoe", "more spam")
            await trio.testing.wait_all_tasks_blocked()
            await typist.type("quiet here > Zoe")
            await typist.type("\\ignore")
            await ann.type("\\quit")
            await trio.testing.wait_all_tasks_blocked()
            back = await house.plain("Zoe")
            await back.type("spam")
            await trio.testing.wait_all_tasks_blocked()
            await typist.type("\\unignore zoe")
            await back.type("sorry")
            await trio.testing.wait_all_tasks_blocked()
            assert typist.screen == [
                "* Ann is now Zoe",
                "[you -> Zoe] quiet here",
                "* ignored: Zoe",
                "* Zoe left",
                "* Zoe joined",
                "* what Zoe says is shown again",
                "Zoe> sorry",
            ]
        assert [line for line in await cid.hear(9) if "spam" in line] == [
            "Ann> spam",
            "* Ann spams",
            "Zoe> more spam",
            "Zoe> spam",
        ]


async def test_who_is_ignored_stays_so_over_a_lost_connection() -> None:
    """It is the person's, not the connection's."""
    first, second, typist = Stub(), Stub(), Typist()
    async with sitting(typist, Street(first, second).connect, "Bob"):
        await first.tell(Welcome("Bob", "S", ("Ann", "Bob")))
        await typist.type("\\ignore Ann")
        await first.ours.aclose()
        await trio.sleep(2)
        await second.tell(Welcome("Bob", "S", ("Ann", "Bob")), Said(1, "", "Ann", "spam"))
        await second.tell(Said(2, "", "Cid", "hi"))
        assert typist.screen[-1] == "Cid> hi"
        assert "Ann> spam" not in typist.screen
