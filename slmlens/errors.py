"""Named errors. Every message says what happened, where, what was got or is allowed, and what to do next."""

from __future__ import annotations


class SlmlensError(Exception):
    """Base of every error a user may see.

    :param what: What went wrong, as one clause ("the file holds no JSON").
    :param where: The file, line, column or setting it concerns; no absolute path.
    :param next_step: What the user can do about it, as an imperative clause.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", next_step: str = "") -> None:
        self.what = what
        self.where = where
        self.next_step = next_step
        place = f"{where}: " if where else ""
        advice = f" {_sentence(next_step)}" if next_step else ""
        super().__init__(f"{place}{_sentence(what)}{advice}")


class InputError(SlmlensError):
    """The input can't be read: missing, empty, binary, of an unknown format, or every record was refused."""


class SettingError(SlmlensError):
    """A setting or argument has a value outside what is allowed."""


class RunFolderError(SlmlensError):
    """The run folder can't be written, or holds something that is not a run."""


class ContractError(SlmlensError):
    """A defect of ours: a table broke its schema, or rows or money don't add up."""

    exit_code = 1


class MissingExtraError(SlmlensError):
    """A feature needs packages that are not installed; the message names the extra."""


class EndpointError(SlmlensError):
    """An endpoint that the user named can't be asked: no connection, a refused key, or not the protocol."""


def _sentence(clause: str) -> str:
    text = clause.strip()
    if not text:
        return text
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?" else text + "."
