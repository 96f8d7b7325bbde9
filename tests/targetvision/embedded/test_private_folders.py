from __future__ import annotations

import os
import stat

import pytest

from targetvision.embedded import EmbeddedError
from targetvision.embedded.places import Places, make_private

SOMEBODY = 54321


@pytest.mark.parametrize("mode", [None, 0o755, 0o777])
def test_make_private_leaves_folder_to_its_owner(tmp_path, mode):
    folder = tmp_path / "folder"
    if mode:
        folder.mkdir()
        folder.chmod(mode)

    make_private(folder)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.stat().st_uid == os.geteuid()


def test_make_private_where_a_link_is_refuses_and_leaves_its_target(tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    target.chmod(0o755)
    (tmp_path / "link").symlink_to(target)

    with pytest.raises(EmbeddedError, match="is a link"):
        make_private(tmp_path / "link")

    assert stat.S_IMODE(target.stat().st_mode) == 0o755


def test_make_private_where_a_file_is_refuses(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(EmbeddedError, match="should be a folder"):
        make_private(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_make_private_of_somebody_else_refuses_and_changes_nothing(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(0o755)
    os.chown(folder, SOMEBODY, -1)

    with pytest.raises(EmbeddedError, match="belongs to another user"):
        make_private(folder)

    assert (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode)) == (SOMEBODY, 0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_make_private_for_owner_gives_it_to_them(tmp_path):
    make_private(tmp_path / "folder", owner=SOMEBODY)

    assert (tmp_path / "folder").stat().st_uid == SOMEBODY


def test_places_of_two_folders_have_nothing_in_common(tmp_path):
    one, two = Places(tmp_path / "one"), Places(tmp_path / "two")

    assert one.run_dir != two.run_dir
    assert one.postgres_run_dir != two.postgres_run_dir
