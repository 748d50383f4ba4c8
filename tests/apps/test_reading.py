"""Files under a path: bounded, never unpacked, never outside; a bad one is told and the rest still read."""

import io
import os
import tarfile
import zipfile

import pytest

from sightline.apps import reading
from sightline.apps.reading import read_files
from sightline.errors import UserError


def read(path, wanted=lambda name: True):
    told = []
    found = {file.name: file.read() for file in read_files(path, wanted, lambda name, text: told.append((name, text)))}
    return found, told


def tar_of(path, members, mode="w:gz"):
    """An archive whose members are (name, bytes) or a TarInfo."""
    with tarfile.open(path, mode) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return path


def test_a_folder_is_walked_and_only_wanted_files_are_read(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.conf").write_text("x")
    (tmp_path / "a" / "y.png").write_text("y")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "z.conf").write_text("z")
    assert read(tmp_path, lambda name: name.endswith(".conf")) == ({"a/b/x.conf": b"x"}, [])


def test_links_that_lead_out_are_told_and_others_followed(tmp_path):
    inside, outside = tmp_path / "app", tmp_path / "secret"
    inside.mkdir()
    outside.write_text("secret")
    (inside / "real.conf").write_text("real")
    (inside / "near.conf").symlink_to("real.conf")
    (inside / "far.conf").symlink_to(outside)
    (inside / "circle.conf").symlink_to("circle.conf")
    (inside / "up").symlink_to(tmp_path)
    found, told = read(inside)
    assert found == {"near.conf": b"real", "real.conf": b"real"}
    assert sorted(name for name, _ in told) == ["circle.conf", "far.conf", "up"]


def test_a_pipe_or_device_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "wait.conf")
    (tmp_path / "x.conf").write_text("x")
    assert read(tmp_path)[0] == {"x.conf": b"x"}
    with pytest.raises(UserError, match="neither a file nor a folder"):
        read(tmp_path / "wait.conf")
    with pytest.raises(UserError, match="nothing at"):
        read(tmp_path / "absent")


def test_depth_and_size_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 10)
    monkeypatch.setattr(reading, "MAX_DEPTH", 3)
    deep = tmp_path / "1" / "2" / "3" / "4"
    deep.mkdir(parents=True)
    (deep / "x.conf").write_text("x")
    (tmp_path / "large.conf").write_text("x" * 11)
    (tmp_path / "fits.conf").write_text("x" * 10)
    found, told = read(tmp_path)
    assert list(found) == ["fits.conf"]
    assert [name for name, _ in told] == ["large.conf", "1/2/3/4"]


@pytest.mark.parametrize("name", ["shop.tgz", "shop.spl", "shop.tar.gz", "anything"])
def test_an_archive_is_read_without_unpacking(tmp_path, name):
    path = tar_of(tmp_path / name, [("shop/default/macros.conf", b"[m]"), ("shop/README", b"text")])
    found, told = read(path, lambda name: name.endswith(".conf"))
    assert (found, told) == ({"shop/default/macros.conf": b"[m]"}, [])
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]


def test_an_archive_in_a_folder_is_read_too(tmp_path):
    (tmp_path / "apps").mkdir()
    tar_of(tmp_path / "apps" / "shop.tar", [("shop/default/macros.conf", b"[m]")], "w")
    assert read(tmp_path, lambda name: name.endswith(".conf"))[0] == {"apps/shop/default/macros.conf": b"[m]"}


def test_names_that_climb_and_links_are_passed_over(tmp_path):
    link = tarfile.TarInfo("shop/default/props.conf")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device = tarfile.TarInfo("shop/default/tags.conf")
    device.type = tarfile.CHRTYPE
    path = tar_of(
        tmp_path / "bad.tgz",
        [
            ("../../outside.conf", b"1"),
            ("/etc/passwd.conf", b"2"),
            ("a/../../b.conf", b"3"),
            link,
            device,
            ("ok.conf", b"4"),
        ],
    )
    found, told = read(path)
    assert found == {"ok.conf": b"4"}
    assert len(told) == 3 and all("leads out of the archive" in text for _, text in told)
    assert [p.name for p in tmp_path.iterdir()] == ["bad.tgz"]


def test_a_bomb_ends_at_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_UNPACKED_BYTES", 200_000)
    path = tar_of(tmp_path / "bomb.tgz", [("ok.conf", b"4"), ("zeros.png", bytes(1_000_000)), ("never.conf", b"5")])
    found, told = read(path, lambda name: name.endswith(".conf"))
    assert found == {"ok.conf": b"4"} and "unpacks to more than 200,000 bytes" in told[0][1]


def test_a_header_as_large_as_a_bomb_ends_the_archive(tmp_path):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 900 * 1024 * 1024
    path = tmp_path / "header.tar"
    path.write_bytes(info.tobuf() + bytes(1024))
    found, told = read(path)
    assert found == {} and len(told) == 1


@pytest.mark.parametrize(
    "content",
    [b"\x1f\x8b\x08\x00broken", b"\x1f\x8b", bytes(257) + b"ustar" + bytes(300), b"PK\x03\x04 no archive"],
    ids=["gzip", "short", "tar", "zip"],
)
def test_a_broken_archive_is_told(tmp_path, content):
    path = tmp_path / "broken.zip"
    path.write_bytes(content)
    found, told = read(path)
    assert found == {} and len(told) == 1 and "not a whole archive" in told[0][1]


def test_a_truncated_archive_gives_what_it_has(tmp_path):
    whole = tar_of(tmp_path / "whole.tar", [("a.conf", b"a"), ("b.conf", b"b" * 5000)], "w").read_bytes()
    path = tmp_path / "cut.tar"
    path.write_bytes(whole[:2000])
    found, told = read(path)
    assert found == {"a.conf": b"a"} and len(told) == 1


def test_a_zip_tells_the_truth_about_its_size_only_when_read(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 1000)
    path = tmp_path / "apps.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.conf", bytes(5000))
        archive.writestr("../up.conf", b"x")
        archive.writestr("ok.conf", b"ok")
    found, told = read(path)
    assert found == {"ok.conf": b"ok"} and len(told) == 2
