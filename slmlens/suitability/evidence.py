"""One row of evidence, in the columns of ``EvidenceTable``."""

from __future__ import annotations

from slmlens.suitability.intervals import Share


def evidence_row(
    task_id: str, mode: str, source: str, share: Share, note: str, *, slm: str | None = None, n_eff: float | None = None
) -> dict[str, object]:
    """Return a row of ``EvidenceTable`` whose other columns are null.

    :param mode: ``swap`` or ``tuned``.
    :param source: One of the sources of ``EvidenceTable``.
    :param share: The agreement, with its interval and what it rests on.
    :param note: What was measured, in words.
    :param slm: The small model that was asked; None: none was.
    :param n_eff: Independent calls the agreement is worth, where that is told apart from ``n``.
    """
    return {
        "task_id": task_id,
        "mode": mode,
        "slm": slm,
        "source": source,
        "n": share.n,
        "n_units": share.n_units,
        "agreement": share.value,
        "lo90": share.lo90,
        "hi90": share.hi90,
        "constant": None,
        "null_p": None,
        "n_eff": n_eff,
        "covered": None,
        "p_parity": None,
        "rare_recall": None,
        "rare_n": None,
        "note": note,
    }
