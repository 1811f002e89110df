"""How far the prompt-only rule, fitted on half of the units, gives the other half's calls the same tasks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slmlens.tasks.incidence import Bools, Floats
from slmlens.tasks.shingles import I64
from slmlens.tasks.skeletons import UNASSIGNED
from slmlens.tasks.taskset import RuleAgreement


def rule_agreement(site: I64, label: I64, calls: I64, inside: Bools) -> RuleAgreement | None:
    """Compare the sites of new trees with those of the whole log, on the calls that the trees were not grown on.

    :param site: Call site in the whole log, one a (recurrence unit, prompt); UNASSIGNED.
    :param label: Site in the new trees.
    :param calls: Calls behind each.
    :param inside: Whether the new trees were grown on it.
    :returns: None where they were grown on all.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    if inside.all():
        return None
    named = _matched(site[inside], label[inside], calls[inside].astype(np.float64))
    site, new, calls = site[~inside], label[~inside], calls[~inside]
    same = np.array([named.get(one, UNASSIGNED) for one in new.tolist()]) == site
    ami = adjusted_mutual_info_score(np.repeat(_alone(site), calls), np.repeat(_alone(new), calls))
    return RuleAgreement(float(ami), float(calls[same].sum() / calls.sum()), 1, int(calls.sum()))


def _alone(site: I64) -> I64:
    """Give each unassigned prompt a number of its own."""
    return np.where(site == UNASSIGNED, 1_000_000 + np.arange(len(site)), site)


def _matched(site: I64, label: I64, weight: Floats) -> dict[int, int]:
    """Match labels with sites one to one, so that they share as much weight as can be."""
    from scipy.optimize import linear_sum_assignment

    sites, of_site = np.unique(site, return_inverse=True)
    labels, of_label = np.unique(label, return_inverse=True)
    shared = np.zeros((len(labels), len(sites)))
    np.add.at(shared, (of_label.ravel(), of_site.ravel()), weight)
    shared[labels == UNASSIGNED, :] = 0
    shared[:, sites == UNASSIGNED] = 0
    rows, columns = linear_sum_assignment(-shared)
    return {int(labels[r]): int(sites[c]) for r, c in zip(rows, columns, strict=True) if shared[r, c] > 0}


def mean_agreement(found: Sequence[RuleAgreement | None]) -> RuleAgreement | None:
    """Return the mean of those that are known; None where none is."""
    known = [one for one in found if one is not None]
    if not known:
        return None
    return RuleAgreement(
        ami=float(np.mean([one.ami for one in known])),
        same=float(np.mean([one.same for one in known])),
        fits=len(known),
        calls=round(float(np.mean([one.calls for one in known]))),
    )
