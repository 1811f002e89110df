"""The export formats that are read. To add one, add a file with a ``FORMAT`` and name it here.

A user's own comes in by ``slmlens.logs.own_readers``.
"""

from __future__ import annotations

from collections.abc import Sequence

from slmlens.logs.formats import (
    atif,
    autogen,
    bedrock,
    claude_code,
    inspect_ai,
    langfuse,
    langsmith,
    litellm,
    metagpt,
    mint,
    mlflow,
    openai_agents,
    openai_batch,
    openai_chat_dataset,
    openai_pairs,
    openhands,
    otlp,
    phoenix,
    smolagents,
    stored_completions,
    swe_agent,
    tau_bench,
    vcr,
    vertex,
    weave,
)
from slmlens.logs.formats.declaration import Format, Record

FORMATS: tuple[Format, ...] = (
    otlp.FORMAT,
    phoenix.FORMAT,
    vertex.FORMAT,
    bedrock.FORMAT,
    vcr.FORMAT,
    tau_bench.FORMAT,
    mint.FORMAT,
    metagpt.FORMAT,
    swe_agent.FORMAT,
    smolagents.FORMAT,
    openhands.FORMAT,
    inspect_ai.FORMAT,
    atif.FORMAT,
    autogen.FORMAT,
    langfuse.FORMAT,
    langsmith.FORMAT,
    litellm.FORMAT,
    mlflow.FORMAT,
    weave.FORMAT,
    openai_agents.FORMAT,
    openai_batch.FORMAT,
    claude_code.FORMAT,
    stored_completions.FORMAT,
    openai_chat_dataset.FORMAT,
    openai_pairs.FORMAT,
)
"""In the order in which a tie is decided: the more particular format first."""


def detect(records: Sequence[Record], formats: Sequence[Format] = FORMATS) -> Format | None:
    """Return the format that recognises most of the records, or None if none recognises any.

    :param records: The first records of a file.
    :param formats: The formats that are known, in the order in which a tie is decided.
    """
    scores = {form.name: sum(form.recognises(record) for record in records) for form in formats}
    best = max(formats, key=lambda form: scores[form.name])
    return best if scores[best.name] else None
