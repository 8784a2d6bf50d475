"""Everything that is said on the wire, in the room and to the screen: requests and events.

A *request* is what a peer asks, imperative; an *event* is what the room states, past tense. Both
are tagged unions of frozen structs, told apart by ``"type"`` (the class's name in lower case), so
that one definition serves the wire, the room and the screen. Fields that are added later must have
defaults; fields that a reader does not know are ignored.

Texts are code points without control characters by the time they stand in an event. Times are
UTC, ISO 8601 with milliseconds and ``Z``. What can be missed has an ``id``; ids are given by the
room and grow, for each member too. What can be asked again (`Roster`, `Pong`, `Welcome`) has none.
"""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct, field

from triochat.passwords import PASSWORD_LENGTH

Name: TypeAlias = Annotated[str, Meta(max_length=256)]
"""A handle in an event: longer than any room allows. An event with one that is longer still is
none that a client understands."""

Names: TypeAlias = Annotated[tuple[Name, ...], Meta(max_length=100_000)]
"""The handles of a room."""

Time: TypeAlias = Annotated[str, Meta(max_length=64)]
"""A time, as it stands on the wire."""

LONGEST = 5_256_000
"""The most minutes for which anything is to hold: ten years."""

Minutes: TypeAlias = Annotated[float, Meta(ge=0, le=LONGEST)]
"""How long something holds; 0: until it is lifted."""

PAGE = 400
"""Messages that a person asks for at once: so many are one line on the wire, however long."""

Id: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
"""The id of an event: whole numbers that every reader of JSON can hold."""

Count: TypeAlias = Annotated[int, Meta(ge=-(1 << 53) + 1, le=(1 << 53) - 1)]
"""How many; less than nothing is nothing. No larger than an `Id`: others have to write it down."""

Token: TypeAlias = Annotated[str, Meta(pattern=r"^([A-Za-z0-9_-]{22,128})?\Z")]
"""By which a peer takes its seat again; empty if it has none. 128 random bits are 22 characters."""


class Message(Struct, frozen=True, gc=False, tag_field="type", tag=str.lower):
    """A message: immutable, compared by value, tagged by the lower-case name of its class."""


# ---- requests


class Join(Message, frozen=True, omit_defaults=True):
    """Let me in under this handle; where the room has a password, by this one.

    With ``history`` I am told the newest so many messages first; None: as many as people are. By a
    ``token`` I take my seat again, if it is mine, and then am told all that I have missed ``after``
    the event with this id: since I came in, if that is None.
    """

    handle: str
    password: Annotated[str, Meta(max_length=PASSWORD_LENGTH)] = ""
    history: Count | None = 0
    token: Token = ""
    after: Id | None = None

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """All but the password and the token, which are nobody's to read."""
        return [("handle", self.handle), ("history", self.history), ("after", self.after)]

    def __repr__(self) -> str:
        return f"Join(handle={self.handle!r}, history={self.history}, after={self.after})"


class Say(Message, frozen=True):
    """Tell everybody in the room."""

    text: str


class Whisper(Message, frozen=True):
    """Tell one member, and nobody else."""

    to: str
    text: str


class Rename(Message, frozen=True):
    """Call me by another handle from now on."""

    handle: str


class Who(Message, frozen=True):
    """Tell me who is here."""


class Ping(Message, frozen=True):
    """Answer, so that I know that you are there."""


class Action(Message, frozen=True):
    """Tell everybody what I do: ``waves``."""

    text: str


class Recall(Message, frozen=True, omit_defaults=True, rename={"author": "from"}):
    """Tell me the newest messages again, at most ``count``, that are older than ``before``.

    And that hold all words of ``find``, were said by ``author``, and in the last ``minutes``.
    """

    count: Count = 50
    before: Id | None = None
    find: Annotated[str, Meta(max_length=500)] = ""
    author: Annotated[str, Meta(max_length=500)] = ""
    minutes: Minutes = 0


class Kick(Message, frozen=True):
    """Put a member out; an operator's request, as all that follow but `Topic` and `Quit`."""

    handle: str
    reason: str = ""


class Stats(Message, frozen=True):
    """Tell me how the server does."""


class Servers(Message, frozen=True):
    """Tell me which servers share the room."""


class Op(Message, frozen=True):
    """Make a member an operator, as long as it is in the room."""

    handle: str


class Deop(Message, frozen=True):
    """Let an operator be one no more."""

    handle: str


class Ban(Message, frozen=True):
    """Put out, and let in no more, whoever has this handle, or comes from this address."""

    handle: str
    minutes: Minutes = 0
    reason: str = ""


class Unban(Message, frozen=True):
    """Lift the ban of this handle, or address."""

    handle: str


class Mute(Message, frozen=True):
    """Let a member be here, and say nothing."""

    handle: str
    minutes: Minutes = 0


class Unmute(Message, frozen=True):
    """Let it speak again."""

    handle: str


class Quiet(Message, frozen=True):
    """Let only operators speak, or everybody again."""

    on: bool


class Bans(Message, frozen=True):
    """Tell me who is banned, and who is muted."""


class Forget(Message, frozen=True, omit_defaults=True):
    """Remove these messages, or all that were said under this handle."""

    ids: Annotated[tuple[Id, ...], Meta(max_length=1000)] = ()
    handle: str = ""


class Topic(Message, frozen=True):
    """Say what the room is about; ``-`` is nothing. Empty: tell me, whoever I am."""

    text: str = ""


class Typed(Message, frozen=True):
    """A line that a person typed; the room finds out what it means, for who asks."""

    line: str


class Quit(Message, frozen=True):
    """Let me go; from the operator: end every client's connection."""


Request: TypeAlias = (
    Join
    | Typed
    | Say
    | Whisper
    | Action
    | Rename
    | Who
    | Ping
    | Recall
    | Topic
    | Kick
    | Op
    | Deop
    | Ban
    | Unban
    | Mute
    | Unmute
    | Quiet
    | Bans
    | Stats
    | Servers
    | Forget
    | Quit
)

Speech: TypeAlias = Say | Whisper | Action
"""What a person says: who says it learns of all that does not get through."""


# ---- events


class Welcome(Message, frozen=True, omit_defaults=True):
    """You are in, under this handle, with these people (you among them); ``last`` is the newest id.

    Whatever follows with an id of at most ``last`` is past. A handle has at most ``handle_length``
    characters here. The ``topic`` is empty if there is none. Who is ``unencrypted`` can be
    overheard, and ``operators`` moderate, as in `Roster`. By the ``token`` you take your seat again
    when your connection is lost; empty if you have none. Where you have ``resumed`` it you missed
    what follows, no more.
    """

    handle: Name
    server: Name
    roster: Names
    last: int = field(default_factory=lambda: 0)  # so that it is written also when it is that
    handle_length: int = field(default_factory=lambda: 10)
    topic: str = field(default_factory=lambda: "")
    unencrypted: Names = ()
    room: str = field(default_factory=lambda: "room")
    token: str = ""
    resumed: bool = field(default_factory=lambda: False)
    operators: Names = ()

    def __repr__(self) -> str:
        return f"Welcome(handle={self.handle!r}, last={self.last}, resumed={self.resumed})"


class Joined(Message, frozen=True, omit_defaults=True):
    """Somebody came in; what is said to who is ``unencrypted`` can be read on the network."""

    handle: Name
    id: int = 0
    at: Time = ""
    unencrypted: bool = False
    operator: bool = False


class Said(Message, frozen=True, omit_defaults=True):
    """A message to everybody, or an ``action``; to its speaker it is the receipt."""

    id: int
    at: Time
    handle: Name
    text: str
    action: bool = False


class Whispered(Message, frozen=True):
    """A message to one member; to its speaker it is the receipt."""

    id: int
    at: Time
    handle: Name
    to: Name
    text: str


class Renamed(Message, frozen=True):
    """A member is called ``new`` from now on."""

    handle: Name
    new: Name
    id: int = 0
    at: Time = ""


class Left(Message, frozen=True, omit_defaults=True):
    """A member is gone; ``reason`` is ``quit`` for those who asked to go.

    Who was put out was so ``by`` an operator.
    """

    handle: Name
    reason: str
    id: int = field(default_factory=lambda: 0)
    at: Time = field(default_factory=lambda: "")
    by: Name = ""


class Moderated(Message, frozen=True, omit_defaults=True):
    """What an operator has done, in words for everybody; ``by`` is its handle.

    For programs the ``deed`` is the request that led to it (``op``, ``topic``, ``quiet``), and
    ``what`` it was done to: a handle, the new topic, ``on`` or ``off``. It has no id where a server
    says by itself what need not be told again.
    """

    text: str
    id: int = 0
    at: Time = ""
    by: Name = field(default_factory=lambda: "")
    deed: str = ""
    what: str = ""


class Recalled(Message, frozen=True):
    """The messages that were asked for, oldest first; whether there are ``more`` older ones."""

    messages: tuple[Said, ...]
    more: bool = False


class Removed(Message, frozen=True):
    """These messages were removed, in words for everybody; ``by`` is the operator's handle."""

    ids: tuple[int, ...]
    text: str
    id: int = 0
    at: Time = ""
    by: Name = ""


class Roster(Message, frozen=True, omit_defaults=True):
    """Who is here, sorted; who of them can be overheard on a network, and who moderates.

    Operators are told by which of the ``doors`` each is here, in the order of the handles; who is
    away is so by none. The ``server`` has this handle, if somebody sits there. Where several
    ``servers`` share the room it is told at which of them each is; empty for who was at one that is
    gone.
    """

    handles: Names
    unencrypted: Names = ()
    operators: Names = ()
    doors: Names = ()
    server: Name = ""
    servers: Names = ()


class Notice(Message, frozen=True):
    """Something that the receiver should know; may have several lines."""

    text: str


class Refused(Message, frozen=True, omit_defaults=True):
    """An ordinary no: a code for programs, and a sentence for people that says what to do.

    It has an id, and takes its place among what is told, where the room was asked for something.
    """

    code: str
    text: str
    id: int = 0


class Pong(Message, frozen=True):
    """The answer to a ping."""


class Closing(Message, frozen=True, omit_defaults=True):
    """The last event on a connection: why the server ends it.

    With ``retry`` one may come back; with ``ask`` as well, a person decides whether to.
    """

    reason: str
    retry: bool = False
    ask: bool = False


Event: TypeAlias = (
    Welcome
    | Joined
    | Said
    | Whispered
    | Renamed
    | Left
    | Moderated
    | Recalled
    | Removed
    | Roster
    | Notice
    | Refused
    | Pong
    | Closing
)

Answer: TypeAlias = Notice | Refused
"""What a line gets at once, when the room need not be asked."""
