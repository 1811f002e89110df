"""Words of instruction: what tells a text that says what to do from a text that is to be worked on.

Two kinds of work behind one system prompt differ in what they are *told to do*; two documents behind one prompt don't.
An answer's form and the way a session moves can show it; where they don't, the words must: instructions address the
reader ("you", "your"), demand ("must", "please", "do not") and speak of the answer ("respond", "output", "format").
The English list was measured: each word is at least twice as common (mean of the rates) in the system prompts of
ChatDev, AutoGPT, crewAI and pydantic-ai calls as in readmes, licences, notes and Python code. Together they are 3 to
14 % of instructions and 0.5 to 2.6 % of contents. The short lists of other languages are translations, not measured.
"""

from __future__ import annotations

import numpy as np

from slmlens.tasks.shingles import U64, stable_hash

ENGLISH = (
    "you your you're you'll please must should do don't always ensure answer respond reply write give provide create "
    "complete follow task instruction instructions format according based"
)
"""Each at least twice as common in the system prompts of four agents as in manuals, licences, notes and code."""

OTHERS = (
    "ihre ihren bitte musst sollst antworte antwort gib schreibe erstelle aufgabe anweisung "
    "vous votre vos veuillez devez toujours réponds répondez réponse écris écrivez tâche "
    "usted tu debes siempre responde respuesta escribe tarea você deve responda resposta escreva tarefa 你 您 请 须"
)


def directive_codes() -> U64:
    """Return the sorted codes (see ``word_codes``) of the words of instruction."""
    words = {*ENGLISH.split(), *OTHERS.split()}
    return np.unique(np.array([stable_hash(w) for w in words], dtype=np.uint64))
