"""A person in a room: two pumps between a terminal and a connection, under one cancel scope.

The keyboard task turns lines into requests, the other shows events. Whichever has a reason to end
ends both: the keyboard by asking the server to let go (`Quit`), so that what was typed before is
delivered first, and what was said before is still shown; the other at once.
"""

import math
from contextlib import suppress

import trio

from triochat import messages
from triochat.connection import GONE, HURRY, QUIT_TIMEOUT, Connection
from triochat.grammar import Bell, Export, Ignore, Local, Place, parse
from triochat.messages import Event, Notice, Refused, Request, Say
from triochat.missed import Missed
from triochat.questions import TRIES, Questions
from triochat.reading import Reader
from triochat.terminal import Terminal, View
from triochat.text import clean
from triochat.ways import Role, Why
from triochat.words import unsent

SILENT = 5.0
"""Seconds without an answer after which the person is told."""

AWAY = "not connected; the line stays here"
"""Why no line is taken while there is nobody to send it to."""

OVER = "the chat is over; this is not sent any more"
"""Why no line is taken by who leaves, or when all has ended."""

HINT = Notice("\\help lists what you can type")
"""What a newcomer is told."""

BEGUN_ANEW = Notice("the room does not know you any more: what was said meanwhile is not told")
"""What a person is told that comes back to a server that has forgotten all."""

_FEW = 100  # lines on their way; of more it is shown only once a second which they are
_STRANGE = Refused("not-resumed", "connection lost, and the room does not know us any more")
_TICK = 1.0  # seconds between two looks at how long there was no answer


class Chat:
    """A person in a room over one connection, from asking to join until that ends.

    Args:
        terminal: the person.
        connection: the room.
        handle: to join with; empty to ask the person first.
        where: the other end, in words, to be shown.
        offer: the handle that is offered to a person who is asked for one.
        role: as whom the person comes.

    Attributes:
        stay: what is known of the room.
        questions: what the person is asked on the way in.
        reader: what the person has read back; for the next chats too.
        refused: why the room did not let us in, if that has ended the chat.
    """

    def __init__(
        self,
        terminal: Terminal,
        connection: Connection,
        handle: str = "",
        *,
        where: str = "",
        offer: str = "",
        role: Role = Role.REGULAR,
    ) -> None:
        self.stay = connection.stay
        self.questions = Questions(handle, offer)
        self.reader = Reader()
        self.refused: Refused | None = None
        self._terminal = terminal
        self._connection = connection
        self._where = where
        self._role = role
        self._handle_length = View().handle_length
        self._view = View()
        self._is_person = terminal.is_person
        self._was_in = bool(self.stay.handle)
        self._missed = Missed(terminal)
        self._heard = trio.lowlevel.ParkingLot()
        self._answered = trio.Event()  # a question, or the person leaves
        self._welcomed = trio.Event()
        self._is_leaving = self._has_quit = self._has_said_all = False
        self._why = Why.LOST
        self._scope = trio.CancelScope()

    @property
    def handle(self) -> str:
        """One's own, as it is now; before the welcome, the one that was asked for."""
        return self.stay.handle or self.questions.handle

    async def run(self) -> Why:
        """Chat until one side ends it; why it has ended. Raises as `Connection.receive` does."""
        self._update()
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._type)
                nursery.start_soon(self._watch)
                nursery.start_soon(self.reader.write_files, self._send, self._show)
                with suppress(trio.EndOfChannel, *GONE):
                    while self.refused is None:
                        await self._hear(*await self._connection.receive_answer())
                if self._why is Why.EXPIRED:
                    await self._answered.wait()
                self._scope.cancel()
        await self._missed.show()
        if self._is_person:
            holds = OVER if self._why is Why.CLOSED else AWAY
            unconfirmed = tuple(self.stay.unconfirmed) if self.may_go_on else ()
            self._terminal.update(View(handle=self.handle, holds=holds, unconfirmed=unconfirmed))
            if not self.may_go_on:
                self.stay.give_up()
                await self._show_lost()
            for refused in self.reader.break_off(self.stay):
                await self._show(refused)
        return self._why

    @property
    def may_go_on(self) -> bool:
        """Whether what it has ended by is no end of the stay, if the person comes back."""
        return self.stay.can_resume and self._why.may_pass

    async def quit(self, why: Why = Why.QUIT) -> None:
        """Ask the server to let go; `run` returns when it has, for a person soon anyway.

        To be interrupted while leaving is not to wait any more.
        """
        is_first, self._is_leaving = not self._is_leaving, True
        is_interrupted = why is Why.INTERRUPTED
        if is_first or is_interrupted:
            self._why = why
        if is_interrupted or (is_first and self._is_person):
            patience = HURRY if is_interrupted else QUIT_TIMEOUT
            in_time = trio.current_time() + (0 if self._has_quit else patience)
            self._scope.deadline = min(self._scope.deadline, in_time)
        self._answered.set()
        if is_first:
            self._update()
            await self._send(messages.Quit())
            self._has_quit = True

    # ---- what is shown

    def _look(self) -> View:
        """How things are."""
        stay, waited = self.stay, int(self._connection.waited)
        is_away = self._role is Role.RETURNING and not stay.is_taken
        state = "trying to come back (Ctrl-C gives up)" if is_away else ""
        holds = AWAY if is_away else ""
        unconfirmed = stay.unconfirmed if self._is_person else []
        if self._is_leaving:
            count = len(unconfirmed)
            still = "s are still on their way" if count > 1 else " is still on its way"
            state = f"leaving; {count} line{still} (Ctrl-C leaves at once)" if count else ""
            holds = OVER
        elif waited >= SILENT:
            state = f"no answer for {waited} s"
        return View(
            where=None if is_away else self._where,
            handle=self.handle if is_away else stay.handle,
            roster=stay.roster,
            unencrypted=stay.unencrypted,
            unconfirmed=tuple(unconfirmed),
            lag=self._connection.lag,
            question=self.questions.now,
            offer=self.questions.offer,
            is_secret=self.questions.is_secret,
            state=state,
            holds=holds,
            handle_length=self._handle_length,
        )

    def _update(self) -> None:
        self._view = self._look()
        self._terminal.update(self._view)

    @property
    def _is_little(self) -> bool:
        """Whether so little is on its way that it is shown at once which lines are (`_watch`)."""
        return len(self.stay.unanswered) < _FEW

    async def _watch(self) -> None:
        """Show also what is so because nothing happens."""
        while self._is_person:
            await trio.sleep(_TICK)
            if self._look() != self._view:
                self._update()

    async def _show(self, event: Event, asked: Request | None = None) -> None:
        is_past = self.stay.is_past(event)
        if is_past and self._is_person and not self.stay.is_whole:
            await self._missed.add(event, self.handle, asked)
        else:
            await self._missed.show()
            await self._terminal.show(event, self.handle, asked, is_past=is_past)

    async def _show_lost(self) -> None:
        """Tell of what was said in a stay that is over, and perhaps never heard."""
        lost = [one for one in self.stay.lost if isinstance(one, messages.Speech)]
        self.stay.lost = []
        for refused in unsent(lost, "perhaps not sent"):
            await self._terminal.show(refused, self.handle)

    # ---- keyboard to room

    async def _type(self) -> None:
        # who speaks first, and JSON, is told everything in JSON, also that the server stops
        await self._send(self._join() if self.questions.handle else messages.Ping())
        if not self._is_person:  # nothing can be said before
            await self._welcomed.wait()
        try:
            while not self._is_leaving:
                await self._obey(await self._terminal.receive())
        except trio.EndOfChannel:
            if self._role is Role.OPERATOR:
                self._why = Why.END_OF_INPUT
                self._scope.cancel()
                return
            self._has_said_all = True
            while self.stay.can_resume and not self._is_person and self.stay.unconfirmed:
                await self._heard.park()  # who quits cannot come back for what was not heard
            await self.quit(Why.END_OF_INPUT)

    def _join(self) -> messages.Join:
        if self._role is Role.OPERATOR:  # whose place nobody keeps
            return messages.Join(self.questions.handle, history=None)
        history = None if self._is_person else 0
        return self.stay.join(self.questions.handle, self.questions.secret.password, history)

    async def _obey(self, line: str | Say) -> None:
        if isinstance(line, Say):
            asked: Request | messages.Answer | Local | None = Say(clean(line.text))
        elif self.questions.now:
            asked = self.questions.read(line)
        else:
            asked = self.reader.older(parse(line, Place.TERMINAL))
        match asked:
            case None:
                pass
            case Refused() | Notice():
                await self._show(asked)
            case Bell(setting=setting):
                self._terminal.bell = setting or self._terminal.bell
                await self._show(Notice(f"bell: {self._terminal.bell}"))
            case Ignore():
                self._terminal.ignored, answer = self._terminal.ignored.change(asked, self.stay)
                await self._show(answer)
            case Export(file=file):
                self.reader.write(file)
            case messages.Quit() if self._role is not Role.OPERATOR:
                await self.quit()
            case _:
                if isinstance(asked, messages.Join):
                    self.questions.handle, self.questions.now = asked.handle, ""
                    self._answered.set()
                    self._update()
                    asked = self._join()
                await self._send(asked)

    async def _send(self, request: Request) -> None:
        try:
            await self._connection.send(request)
        except GONE:
            await trio.sleep_forever()  # the other task sees it too, and has more to say
        if isinstance(request, messages.Speech) and self._is_little:
            self._update()

    # ---- room to screen

    async def _hear(self, event: Event, asked: Request | None) -> None:
        is_hidden = isinstance(event, messages.Pong) or self._terminal.ignored.hides(event)
        is_hidden |= self.reader.hear(event, asked)
        event = self._terminal.ignored.without(event)
        self._terminal.ignored = self._terminal.ignored.after(event)
        if asked and self._scope.deadline < math.inf and self._why is not Why.INTERRUPTED:
            # what was typed before is said first, however slowly it is read
            self._scope.deadline = trio.current_time() + QUIT_TIMEOUT
        match event:
            case messages.Welcome(handle_length=length):
                self.questions.now, self._handle_length = "", length
                self._welcomed.set()
                is_hidden = self._role is Role.OPERATOR
                is_hidden |= await self._hear_welcome(event)
            case messages.Closing():
                self._hear_end(event)
                is_hidden = self._role is Role.OPERATOR or self._why is Why.EXPIRED
            case Refused(code=code) if isinstance(asked, messages.Join) and code != "banned":
                await self._hear_no(event)  # who is banned is told more, and then it is over
                is_hidden = self._role is Role.RETURNING  # the state says so
                is_hidden |= self.questions.is_secret and code == "password-needed"
        changes = not isinstance(event, messages.Said | messages.Whispered)
        if changes or (asked and self._is_little):
            self._update()
        self._heard.unpark_all()
        if not is_hidden:
            await self._show(event, asked)
        if self._role is Role.NEWCOMER and isinstance(event, messages.Welcome):
            await self._terminal.show(HINT, self.handle)

    async def _hear_welcome(self, welcome: messages.Welcome) -> bool:
        """We are in; in again, if we were. Whether that is nothing to be shown."""
        if self._is_person and self._was_in and not welcome.resumed:
            await self._terminal.show(BEGUN_ANEW, self.handle)
        if self._is_person or not self._was_in:
            await self._show_lost()
        elif not welcome.resumed:  # a pipe cannot begin anew: who knows what was heard
            self._why, self.refused = Why.REFUSED, _STRANGE
            await self._terminal.show(_STRANGE, self.handle)
            with suppress(*GONE):
                await self._connection.send(messages.Quit())
        return not self._is_person and self._was_in

    def _hear_end(self, closing: messages.Closing) -> None:
        """The server lets go of us."""
        is_restarting = closing.retry and not closing.ask
        if self._has_said_all and not (is_restarting and self.stay.unconfirmed):
            self._why = Why.END_OF_INPUT
        elif not self._is_leaving:
            over = Why.EXPIRED if self.questions.now else Why.DISCONNECTED
            later = Why.RESTARTING if is_restarting else over
            self._why = later if closing.retry else Why.CLOSED

    async def _hear_no(self, refused: Refused) -> None:
        """The room does not let us in: under another handle, perhaps, or not now."""
        if self._is_person and refused.code in ("password-needed", "password-wrong"):
            await self._ask_password(refused)
        elif self._role is Role.RETURNING or not self._is_person:
            self._why, self.refused = Why.REFUSED, refused
        elif refused.code == "queue-full":
            self._why, self.refused = Why.DISCONNECTED, refused
        else:
            self.questions.ask_handle()
            self.stay.handle = ""

    async def _ask_password(self, refused: Refused) -> None:
        r"""Have the person say the password, or another one; ``\quit``, if it is none, leaves."""
        questions = self.questions
        if questions.withdraw():
            await self.quit()
        elif questions.tries == TRIES:
            self._why, self.refused = Why.DENIED, refused
        else:
            if questions.secret.warning and not questions.tries:
                await self._terminal.show(Notice(questions.secret.warning), self.handle)
            questions.ask_password()
            if self._role is Role.RETURNING:  # it has an answer to wait for
                self._role = Role.REGULAR
