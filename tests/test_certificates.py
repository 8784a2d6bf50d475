import logging
import os
import ssl
import stat
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from tls import Certificate
from triochat.certificates import own_identity
from triochat.fingerprints import fingerprint
from triochat.hosts import is_loopback
from triochat.tls import Tls, read_identity


def here() -> list[str]:
    """Where the server of a test can be reached."""
    return ["192.0.2.1", "2001:db8::1"]


def test_a_server_keeps_its_certificate(tmp_path: Path) -> None:
    """It is made once, for this machine's names, and nobody but its owner can read its key."""
    folder = tmp_path / "state" / "triochat"
    before = os.umask(0)
    try:
        made = own_identity(folder, here)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.iterdir()]}
    assert modes == {"triochat": 0o700, "cert.pem": 0o600, "key.pem": 0o600}
    pem = (folder / "cert.pem").read_text()
    assert made.fingerprint == fingerprint(ssl.PEM_cert_to_DER_cert(pem))
    assert own_identity(folder, here).fingerprint == made.fingerprint
    assert (folder / "cert.pem").read_text() == pem


def test_the_certificate_names_its_machine(tmp_path: Path) -> None:
    """Whoever trusts it, by its file, may reach it as localhost and under its addresses."""
    server = own_identity(tmp_path, here).context
    client = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    for name in ("localhost", "127.0.0.1", "::1", *here()):
        upward, downward = ssl.MemoryBIO(), ssl.MemoryBIO()
        ends = [
            client.wrap_bio(downward, upward, server_hostname=name),
            server.wrap_bio(upward, downward, server_side=True),
        ]
        for end in ends:
            with pytest.raises(ssl.SSLWantReadError):
                end.do_handshake()
        for end in ends:
            end.do_handshake()


def test_a_key_without_its_certificate_gets_one(tmp_path: Path) -> None:
    """A server that was killed in between goes on where it was; the key stays."""
    own_identity(tmp_path, here)
    key = (tmp_path / "key.pem").read_bytes()
    (tmp_path / "cert.pem").unlink()
    own_identity(tmp_path, here)
    assert (tmp_path / "key.pem").read_bytes() == key


def test_who_comes_second_takes_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two servers that start at the same time both use what the first one has kept."""
    first = own_identity(tmp_path, here)
    monkeypatch.setattr(Path, "exists", lambda _: False)  # it was not there a moment ago
    assert own_identity(tmp_path, here).fingerprint == first.fingerprint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cert.pem", "key.pem"]


@pytest.mark.parametrize("spoilt", ["cert.pem", "key.pem", "both", "other", "no folder"])
def test_what_cannot_be_used_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoilt: str
) -> None:
    """The server then has a key for this time alone, and says so in one line."""
    folder = tmp_path / "state"
    known = own_identity(folder, here).fingerprint
    if spoilt in {"cert.pem", "key.pem"}:
        (folder / spoilt).write_text("nonsense")
    elif spoilt == "both":
        (folder / "cert.pem").write_text("")
        (folder / "key.pem").write_text("")
    elif spoilt == "other":
        Certificate("localhost").write(tmp_path)
        (tmp_path / "server.key").replace(folder / "key.pem")
    else:
        folder = folder / "key.pem" / "triochat"
    before = [path.read_bytes() for path in sorted((tmp_path / "state").iterdir())]
    passing = own_identity(folder, here)
    assert passing.fingerprint != known
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"cannot keep a key in {folder} (")
    assert before == [path.read_bytes() for path in sorted((tmp_path / "state").iterdir())]


def test_a_chain_is_known_by_its_first(tmp_path: Path) -> None:
    """Of a certificate with those of its authorities the server's own has the fingerprint."""
    authority = trustme.CA().create_child_ca()
    issued = authority.issue_cert("localhost")
    (tmp_path / "key").write_bytes(issued.private_key_pem.bytes())
    pems = [pem.bytes() for pem in issued.cert_chain_pems]
    assert len(pems) > 1
    (tmp_path / "chain").write_bytes(b"# a comment\n" + b"".join(pems))
    der = ssl.PEM_cert_to_DER_cert(pems[0].decode())
    assert read_identity(tmp_path / "chain", tmp_path / "key").fingerprint == fingerprint(der)


@pytest.mark.parametrize(
    ("certificate", "key", "problem"),
    [
        ("none", "server.key", "cannot read .*none: no such file or directory"),
        ("server.pem", "none", "cannot read .*none: no such file or directory"),
        ("server.pem", "other/server.key", "are no certificate and its key: key values mismatch"),
        ("server.key", "server.pem", "are no certificate and its key: "),
        (".", "server.key", "cannot read .*: is a directory"),
        ("server.pem", "locked", "are no certificate and its key: "),
    ],
)
def test_files_that_cannot_be_used(
    tmp_path: Path, certificate: str, key: str, problem: str
) -> None:
    """What is wrong is said in words; nobody is asked for a password."""
    (tmp_path / "other").mkdir()
    Certificate("localhost").write(tmp_path)
    Certificate("localhost").write(tmp_path / "other")
    secret = serialization.BestAvailableEncryption(b"secret")
    key_of = serialization.load_pem_private_key((tmp_path / "server.key").read_bytes(), None)
    pkcs8 = serialization.PrivateFormat.PKCS8
    locked = key_of.private_bytes(serialization.Encoding.PEM, pkcs8, secret)
    (tmp_path / "locked").write_bytes(locked)
    with pytest.raises(ValueError, match=problem):
        read_identity(tmp_path / certificate, tmp_path / key)


def test_a_certificate_is_read_again(tmp_path: Path) -> None:
    """It is read when it is first needed, and when asked; what fails changes nothing."""
    files = Certificate("localhost").write(tmp_path)
    tls = Tls(lambda: read_identity(*files))
    first = tls.identity
    Certificate("localhost").write(tmp_path)
    assert tls.identity is first
    tls.reload()
    second = tls.identity
    assert second.fingerprint != first.fingerprint
    files[1].unlink()
    with pytest.raises(ValueError, match="cannot read"):
        tls.reload()
    assert tls.identity is second


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_this_machine(host: str) -> None:
    """What no network is in between to."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", "", "a peer"])  # noqa: S104
def test_another_machine(host: str) -> None:
    """Everything else may be one."""
    assert not is_loopback(host)
