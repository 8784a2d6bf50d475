"""What irctest (github.com/progval/irctest) asks of servers, as far as it can be asked of a room.

It is nothing that can be installed: ``IRCTEST`` names a folder with its repository, or this skips,
and `test_irc_conformance` has what it checks.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHOSEN = {
    "cap.py::CapTestCase": (
        "testEmptyCapList",
        "testInvalidCapSubcommand",
        "testIrc301CapLs",
        "testNakExactString",
        "testNoMultiline301Response",
        "testNoReq",
        "testReqUnavailable",
    ),
    "connection_registration.py::ConnectionRegistrationTestCase": (
        "testEarlyNickCollision",
        "testNickCollision",
        "testQuitDisconnects",
        "testQuitErrors",
    ),
    "connection_registration.py::PasswordedConnectionRegistrationTestCase": (
        "testNoPassword",
        "testPassBeforeNickuser",
        "testWrongPassword",
    ),
    "isupport.py::IsupportTestCase": ("testParameters",),
    "join.py::JoinTestCase": ("testJoinNamreply",),
    "list.py::ListTestCase": ("testListOne",),
    "messages.py::PrivmsgTestCase": (
        "testEmptyPrivmsg",
        "testPrivmsgNonexistentChannel",
        "testPrivmsgNonexistentUser",
        "testPrivmsgToUser",
    ),
    "names.py::NamesTestCase": ("testNamesInvalidChannel", "testNamesNonexistingChannel"),
    "pingpong.py::PingPongTestCase": ("testPingNoToken",),
    "regressions.py::RegressionsTestCase": (
        "testEmptyNick",
        "testNickRelease",
        "testNickReleaseQuit",
    ),
    "topic.py::TopicTestCase": ("testTopicNonexistentChannel",),
    "who.py::WhoTestCase": ("testWhoNickNotExists", "testWhoxToken"),
    "whois.py::WhoisTestCase": ("testWhoisMissingUser",),
    "whowas.py::WhowasTestCase": (
        "testWhowasEnd",
        "testWhowasNoParamModern",
        "testWhowasNoSuchNick",
    ),
}
"""By file and class."""

LEFT_OUT = {
    "cap: REQ of multi-prefix, userhost-in-names": "there is one prefix, and nobody has a host",
    "connection_registration: names that are not UTF-8": "such a line is refused, not mended",
    "connection_registration: an empty real name": "a real name is asked for, and not looked at",
    "messages, echo_message, buffering, quit, time": "they join channels by names of their own",
    "messages: NOTICE to no channel is not answered": "nothing that is typed is lost in silence",
    "pingpong: the two with a token": "they want another name of the server",
    "regressions: a nick in use, and case": "in one room all see who else comes in meanwhile",
    "regressions: the nick *": "what no handle can be is made one on the way in: some clients wait",
    "isupport: PREFIX, TARGMAX": "tokens that the tested server is told to have",
    "join: twice, keys, several channels": "there is one channel, without a key, joined unasked",
    "names, list: other channels": "there are none",
    "who, whois, lusers: users, hosts, operators": "nobody has a host, or becomes one by OPER",
    "whowas: who was here": "nobody is remembered by it",
    "kick, topic, part": "by who founded a channel: here the console makes operators",
    "away, help, info, message_tags, multi_prefix": "not spoken",
    "utf8": "a line that is not UTF-8 is refused in words, not by FAIL",
    "all that is not named": "extensions that are not offered: SASL, batch, metadata, monitor, ...",
}
"""What is not asked, and why."""


@pytest.mark.timeout(900)
def test_irctest() -> None:
    """All that was chosen passes."""
    folder = os.environ.get("IRCTEST", "")
    if not folder:
        pytest.skip(f"IRCTEST names no folder with irctest; {len(LEFT_OUT)} kinds are left out")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        + ["--controller", "irctest_triochat"]
        + [
            f"irctest/server_tests/{place}::{name}"
            for place, names in CHOSEN.items()
            for name in names
        ],
        cwd=folder,
        env={**os.environ, "TRIOCHAT_ROOM": "test", "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{sum(map(len, CHOSEN.values()))} passed" in done.stdout
