"""Messages of a lab as files: whole, or not at all, and accepted only if they are there."""

import mailbox

import pytest
from tests.unit.lab.test_sink import MESSAGE, dialled, facing

from postroad.lab import MailFolder
from postroad.words.inputs import InputError

UNSTUFFED = MESSAGE.replace(b"..", b".")


def _sent(folder):
    """One message to an exchanger that saves in a folder: its replies, and what the listener was told."""
    codes = []

    async def story(exchanger):
        async with dialled(exchanger) as sender:
            await sender.greeted()
            codes.extend(await sender.send())

    return codes, facing(story, save=folder.keep)


def test_messages_are_saved_below_the_fields_of_a_delivery(tmp_path):
    """As .eml files with the octets that came; as a Maildir, which mail programs read."""
    files, maildir = MailFolder(tmp_path / "a" / "b"), MailFolder(tmp_path / "m", maildir=True)
    for folder in (files, maildir):
        folder.open()
        assert "250" == _sent(folder)[0][-1]
    (file,) = (tmp_path / "a" / "b").iterdir()
    fields, octets = file.read_bytes().split(b"Subject:")
    assert (".eml", UNSTUFFED) == (file.suffix, b"Subject:" + octets)
    expected = (
        b"Return-Path: <me@example.com>\r\nDelivered-To: user@example.org\r\nReceived: from sender.example ([127."
    )
    assert expected == fields[: len(expected)]
    (message,) = mailbox.Maildir(tmp_path / "m", create=False)
    assert ("lines", "<me@example.com>") == (message["Subject"], message["Return-Path"])
    assert MailFolder(tmp_path / "m").is_maildir


def test_what_cannot_be_saved_is_not_accepted(tmp_path):
    """The sender keeps its mail (452), the reason is told, and nothing is left of the file."""
    folder = MailFolder(tmp_path)
    folder.open()
    (tmp_path / "gone").mkdir()
    folder.path = tmp_path / "gone"
    folder.path.rmdir()
    codes, told = _sent(folder)
    assert ("452", "No such file or directory") == (codes[-1], told[-2].fields["why"])
    assert ("lab.smtp.unsaved", []) == (told[-2].name, list(tmp_path.iterdir()))


@pytest.mark.parametrize("maildir", [False, True])
def test_a_folder_that_cannot_be_written_is_named_at_once(tmp_path, maildir):
    """A file is no folder."""
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"mail cannot be saved in .*file.*; name a folder that you may write"):
        MailFolder(tmp_path / "file", maildir=maildir).open()
