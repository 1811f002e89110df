"""Calls of batch jobs, whose requests and answers stand in files of their own and share an id that the user gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from slmlens.logs.draft import Collected, Draft, Place
from slmlens.logs.envelope import envelope_fields, identifier
from slmlens.logs.exchange import NotACallError
from slmlens.logs.formats.declaration import Batch, Format
from slmlens.logs.normalise import Exchange, Normaliser
from slmlens.logs.pairs import unwrapped

_NO_CALLS = ("/embeddings", "/moderations", "/images")
_FINAL = frozenset({"errored", "canceled", "expired"})
_ASKED = (
    "prompt",
    "prompt_key",
    "tool_names",
    "tool_bytes",
    "response_schema",
    "model_requested",
    "request_hash",
    "user",
)


@dataclass(slots=True)
class _Job:
    """What was read under one id in one folder."""

    requests: list[Draft] = field(default_factory=list)
    answers: list[Draft] = field(default_factory=list)


class BatchReader:
    """Collects requests and answers of batch jobs, and joins them by their id.

    An id is unique in its batch only, so the files of a batch are looked for in one folder first.

    :param form: The format.
    :param keys: Its keys.
    :param normaliser: Stores messages and reads usage.
    :param names: Names of the files by number.
    """

    def __init__(self, form: Format, keys: Batch, normaliser: Normaliser, names: Sequence[str]) -> None:
        self._form = form
        self._keys = keys
        self._normaliser = normaliser
        self._folders = [str(PurePosixPath(name).parent) for name in names]
        self._jobs: dict[str, dict[str, _Job]] = {}  # id -> folder -> job

    def add(self, record: Mapping[str, object], place: Place) -> int:
        """Take one line; return 1 if it is no call of a model.

        :param record: The line.
        :param place: Where it stands.
        :raises NotACallError: If it is neither a request nor an answer.
        """
        own = identifier(record.get(self._keys.id))
        if own is None:
            raise NotACallError(f"a line without {self._keys.id}", rejected=True)
        if any(part in str(record.get("url")) for part in _NO_CALLS):
            return 1
        fields, tags = envelope_fields({key: record[key] for key in record if key not in ("id", "url", "method")})
        job = self._jobs.setdefault(own, {}).setdefault(self._folders[place.file], _Job())
        asked = next((record[key] for key in self._keys.request_at if isinstance(record.get(key), dict)), None)
        if isinstance(asked, dict):
            exchange = Exchange(asked, None, None, {}, tags, "", traced=True)
            job.requests.append(self._drafted(exchange, place))
            return 0
        fields = {name: found for name, found in fields.items() if name not in ("error", "status")}
        response, status = _answer(record, self._keys)
        if response is None and status is None:
            raise NotACallError("neither a request nor an answer of a batch", rejected=True)
        job.answers.append(self._drafted(Exchange(None, response, status, fields, tags, ""), place))
        return 0

    def end_file(self, number: int) -> None:
        """Do nothing: answers may stand in a file before their requests.

        :param number: The number of the file.
        """

    def finish(self) -> Collected:
        """Return the calls: each answer with its request, and each request that has no answer in the log."""
        calls: list[Draft] = []
        other: list[int] = []
        unclear = 0
        for folders in self._jobs.values():
            everywhere = [draft for job in folders.values() for draft in job.requests]
            joined: set[int] = set()
            for job in folders.values():
                request, clear = _one_request(job.requests or everywhere)
                unclear += len(job.answers) if not clear else 0
                for answer in job.answers:
                    if request is not None:
                        _join(answer, request)
                    calls.append(answer)
                if job.answers and clear:
                    joined |= {id(one) for one in job.requests or everywhere}
            for one in everywhere:
                if id(one) in joined:
                    other.append(one.place.file)
                else:
                    calls.append(one)
        said = (
            f"{unclear:,} answers of batches could not be joined to their requests, since several different requests "
            f"bear the same {self._keys.id}: keep the files of each batch in a folder of their own."
        )
        notes = [said] if unclear else []
        return Collected(calls, other=other, notes=notes)

    def _drafted(self, exchange: Exchange, place: Place) -> Draft:
        draft = self._normaliser.draft(exchange, self._form, place)
        draft.batch = True
        return draft


def _answer(record: Mapping[str, object], keys: Batch) -> tuple[object, int | None]:
    """Return the answer's body and its HTTP status; a failed request has a status of 400 or more."""
    for key in keys.response_at:
        value = record.get(key)
        if not isinstance(value, dict):
            continue
        kind = value.get("type")
        if isinstance(kind, str) and kind in _FINAL:
            return {"error": value.get("error") or {"type": kind}}, 500
        if isinstance(value.get("message"), dict):
            return value["message"], None
        if key == "error":
            return {"error": value}, 500
        return unwrapped(value)
    return None, None


def _one_request(requests: Sequence[Draft]) -> tuple[Draft | None, bool]:
    """Return the request that an id stands for, and whether that is clear."""
    if not requests:
        return None, True
    alike = {one.request_hash for one in requests}
    return (requests[0], True) if len(alike) == 1 else (None, False)


def _join(answer: Draft, request: Draft) -> None:
    for name in _ASKED:
        setattr(answer, name, getattr(request, name))
    answer.provider = answer.provider or request.provider
    answer.model = answer.model or request.model
    answer.tags = list(dict.fromkeys([*answer.tags, *request.tags]))
    answer.session = answer.session or request.session
