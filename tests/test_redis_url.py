from pathlib import Path

import pytest

from tls import Certificate
from triochat.redis_url import read_redis_url


def test_a_url_says_where_and_who() -> None:
    """Host, port, database, user and password; these two may be written with percent signs."""
    url = read_redis_url("redis://ann:p%40ss%2Fword@example.org:7000/3")
    assert (url.host, url.port, url.database) == ("example.org", 7000, 3)
    assert (url.user, url.password, url.tls, url.path) == ("ann", "p@ss/word", None, "")


def test_most_of_a_url_may_be_left_out() -> None:
    """The port is Redis' own, the database the first, and a password needs no user."""
    url = read_redis_url("redis://:word@[::1]")
    assert (url.host, url.port, url.database) == ("::1", 6379, 0)
    assert (url.user, url.password) == (None, "word")
    assert read_redis_url("redis://localhost/").password is None
    assert read_redis_url(" redis://localhost \t").port == 6379  # as files have it


def test_operators_see_no_password() -> None:
    """What a Redis is known by says where it is, and nothing else."""
    url = read_redis_url("redis://ann:word@here:1/2")
    assert str(url) == repr(url) == "Redis at here port 1"
    assert str(read_redis_url("unix://ann:word@/run/redis.sock")) == "Redis at /run/redis.sock"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://localhost",
        "redis:",
        "redis:///",
        "redis://:hunter2@",
        "redis://ann:hunt/er2@host",
        "redis://ann:hunt#er2@host",
        "redis://ann:1?hunter2@host",
        "redis://ann:1?hunter2=@host",
        "redis://ann:hunter2@host:port",
        "redis://ann:hunter2@host:99999",
        "redis://ann:hunter2@host/first",
        "redis://ann:hunter2@[host",
        "redis://hunter2@host",
        "redis://host?ssl_ca_certs=hunter2",
        "rediss://host?ssl_cert_reqs=hunter2",
        "unix://",
    ],
)
def test_what_is_no_url_is_refused_and_not_quoted(url: str) -> None:
    """The refusal says how one is written; what was typed may be a password."""
    with pytest.raises(ValueError, match="Redis") as raised:
        read_redis_url(url)
    assert "er2" not in f"{raised.value!r} {raised.value.__cause__!r}"


def test_the_host_of_a_sealed_way_is_looked_at() -> None:
    """The authority is the system's or the one that is named, and its word is needed."""
    tls = read_redis_url("rediss://host").tls
    assert tls
    assert tls.check_hostname


def test_files_of_a_sealed_way_are_read(tmp_path: Path) -> None:
    """A file that cannot be read is named."""
    certificate = Certificate("host")
    authority = certificate.write_authority(tmp_path / "authority.pem")
    file, key = certificate.write(tmp_path)
    tls = read_redis_url(f"rediss://host?ssl_ca_certs={authority}").tls
    assert tls
    assert len(tls.get_ca_certs()) == 1
    assert read_redis_url(f"rediss://host?ssl_certfile={file}&ssl_keyfile={key}").tls
    for name in ("ssl_ca_certs", "ssl_certfile"):
        with pytest.raises(ValueError, match=r"cannot read /nowhere .*: no such file"):
            read_redis_url(f"rediss://host?{name}=/nowhere")
    (tmp_path / "empty").write_text("")
    with pytest.raises(ValueError, match=r"cannot read .*/empty"):
        read_redis_url(f"rediss://host?ssl_ca_certs={tmp_path / 'empty'}")
