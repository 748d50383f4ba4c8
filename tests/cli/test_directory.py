"""A data directory says its version, is held by one program, and refuses what it cannot be."""

import os
import subprocess
import sys

import pytest

from sightline.config import ListenSettings, Settings
from sightline.datadir import DataDirectory, DirectoryHeld
from sightline.errors import EnvironmentTrouble, UserError


def test_a_new_directory_gets_a_version_and_nobody_else_may_look_in(tmp_path):
    directory = DataDirectory(tmp_path / "data")
    assert (directory.path / "VERSION").read_text() == "1\n"
    assert os.stat(directory.run).st_mode & 0o077 == 0


def test_a_directory_of_a_newer_version_is_refused_with_a_sentence(tmp_path):
    (tmp_path / "VERSION").write_text("7\n")
    with pytest.raises(UserError, match="is version 7, this program understands up to version 1"):
        DataDirectory(tmp_path)
    (tmp_path / "VERSION").write_text("seven\n")
    with pytest.raises(UserError, match='wants a whole number, got "seven"'):
        DataDirectory(tmp_path)


def test_a_directory_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(UserError, match="is not a data directory: it has no VERSION file and holds letters.txt"):
        DataDirectory(tmp_path)


def test_a_directory_is_held_by_one(tmp_path):
    first = DataDirectory(tmp_path)
    first.lock()
    with pytest.raises(DirectoryHeld, match=f"held by another program \\(process {os.getpid()}\\)"):
        DataDirectory(tmp_path).lock()
    first.unlock()
    second = DataDirectory(tmp_path)
    second.lock()
    second.unlock()


def test_the_lock_holds_while_a_child_that_inherited_it_lives(tmp_path):
    directory = DataDirectory(tmp_path)
    descriptor = directory.lock()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(descriptor,), text=True)
    directory.unlock()
    with pytest.raises(DirectoryHeld):
        DataDirectory(tmp_path).lock()
    child.communicate("\n")
    DataDirectory(tmp_path).lock()


def test_a_path_too_long_for_a_socket_is_refused(tmp_path):
    with pytest.raises(UserError, match="too long for a socket"):
        DataDirectory(tmp_path / ("x" * 100))


def test_a_port_in_use_is_named():
    import socket

    from sightline.app import check_listeners

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentTrouble, match=f"port {port} on 127.0.0.1 cannot be used for --hec: address already"):
            check_listeners(ListenSettings("off", "off", "off", f"127.0.0.1:{port}"))


@pytest.mark.parametrize("address", ["8000", "localhost:", ":80", "a:b", "a:0", "a:70000"])
def test_an_address_that_is_none_is_refused(address):
    from sightline.app import check_listeners

    with pytest.raises(UserError, match="wants host:port or off"):
        check_listeners(ListenSettings(http=address))


def test_two_listeners_at_one_address_are_refused():
    from sightline.app import check_listeners

    with pytest.raises(UserError, match='"http" and "otlp_http" have the same address'):
        check_listeners(ListenSettings("127.0.0.1:58231", "127.0.0.1:58231", "off", "off"))


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::1]:80", "http://[::1]:80"),
        ("off", ""),
    ],
)
def test_the_address_of_the_page(tmp_path, listen, address):
    from sightline.app import page_address

    assert page_address(Settings(tmp_path, ListenSettings(http=listen))) == address
