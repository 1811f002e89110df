"""What a call site looks like to a person: its skeleton with typed holes, and its name. All of it is k-anonymous."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from slmlens.results import Calls
from slmlens.tasks.holes import Marked, Words, mark, skeleton_text, words_of
from slmlens.tasks.names import NameFacts, task_names
from slmlens.tasks.prompts import PARTS, Prompts
from slmlens.tasks.shingles import U64
from slmlens.tasks.sites import CallSite

EXAMPLES = 10
"""Further prompts of a site that its holes are typed by."""

TEXT_PARTS = ("system", "first", "last")
HIDDEN = "hidden: fewer than {k} people or sessions share it"


@dataclass(frozen=True)
class SiteText:
    """Marked texts of a call site: for each part of its prompt an exemplar and what others hold in its place."""

    parts: Mapping[str, tuple[Marked, tuple[Marked, ...]]]

    def fixed_words(self) -> list[str]:
        """Return the words that the skeleton fixes, in order."""
        return [
            w
            for name in TEXT_PARTS
            if name in self.parts
            for w, f in zip(self.parts[name][0].words, self.parts[name][0].fixed, strict=True)
            if f
        ]


def site_texts(calls: Calls, prompts: Prompts, sites: Sequence[CallSite], placed: pl.DataFrame) -> dict[int, SiteText]:
    """Return the marked texts of every site; a site known by its declared step alone has none."""
    picked = _examples(prompts, placed)
    wanted = picked.select(pl.concat_list("system", "first", "last").alias("message_id")).explode("message_id").unique()
    text_of = dict(calls.messages.join(wanted, on="message_id", how="semi").select("message_id", "text").rows())
    keys = sorted({_ids(ids) for name in TEXT_PARTS for ids in picked.get_column(name).to_list()} - {()})
    words = dict(zip(keys, words_of(["\n".join(text_of.get(i) or "" for i in key) for key in keys]), strict=True))
    by_site = {int(key[0]): frame for key, frame in picked.group_by("site", maintain_order=True)}
    return {s.number: _site_text(s.core, by_site.get(s.number), words) for s in sites}


def shown_core(site: CallSite, n_subjects: int, k_show: int) -> U64:
    """Return the phrases of a site that at least ``k_show`` subjects are sure to share."""
    if n_subjects < k_show:
        return np.zeros(0, dtype=np.uint64)
    return site.core if 0.9 * n_subjects >= k_show else site.firm


def describe(
    texts: Mapping[int, SiteText],
    sites: Sequence[CallSite],
    subjects: Mapping[int, int],
    forms: Mapping[int, str],
    *,
    k_show: int,
) -> dict[int, tuple[str, str]]:
    """Return ``name, skeleton`` of each site."""
    shown = {s.number: _restricted(texts[s.number], s.core, shown_core(s, subjects[s.number], k_show)) for s in sites}
    facts = [NameFacts(s.step, _telling(shown[s.number]), forms[s.number]) for s in sites]
    names = task_names(facts)
    return {s.number: (name, _skeleton(shown[s.number], k_show)) for s, name in zip(sites, names, strict=True)}


def _examples(prompts: Prompts, placed: pl.DataFrame) -> pl.DataFrame:
    """Pick, per site, the prompts of the greatest strength and others spread over its slot contents."""
    variants = prompts.variants.with_row_index("variant").with_columns(pl.col("variant").cast(pl.Int64))
    used = placed.drop_nulls(["site", "variant"])
    distinct = used.group_by("site", "variant").agg(pl.col("strength").max()).join(variants, on="variant")
    ordered = distinct.sort(
        "site", pl.col("strength").round(2), "content", "variant", descending=[False, True, False, False]
    )
    ranked = ordered.unique(["site", "content"], keep="first", maintain_order=True).with_columns(
        at=pl.int_range(pl.len()).over("site"), of=pl.len().over("site")
    )
    stride = (pl.col("of") // EXAMPLES).clip(lower_bound=1)
    return ranked.filter((pl.col("at") % stride == 0) & (pl.col("at") // stride <= EXAMPLES))


def _site_text(core: U64, examples: pl.DataFrame | None, words: Mapping[tuple[str, ...], Words]) -> SiteText:
    if examples is None or not len(core):
        return SiteText({})
    parts: dict[str, tuple[Marked, tuple[Marked, ...]]] = {}
    for name in TEXT_PARTS:
        keys = [_ids(ids) for ids in examples.get_column(name).to_list()]
        marked = [mark(words[key], core, PARTS.index(name)) for key in keys if key and words[key].words]
        if marked:
            exemplar = max(range(len(marked)), key=lambda i: (sum(marked[i].fixed), -len(marked[i].text), -i))
            parts[name] = marked[exemplar], tuple(m for i, m in enumerate(marked) if i != exemplar)
    return SiteText(parts)


def _ids(value: str | Sequence[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _restricted(text: SiteText, core: U64, shown: U64) -> SiteText:
    """Return the texts marked by the phrases that may be shown."""
    if len(shown) == len(core):
        return text
    if not len(shown):
        return SiteText({})
    parts = {
        name: (
            mark(own.source, shown, PARTS.index(name)),
            tuple(mark(o.source, shown, PARTS.index(name)) for o in others),
        )
        for name, (own, others) in text.parts.items()
    }
    return SiteText(parts)


def _telling(text: SiteText) -> list[Marked]:
    return [text.parts[name][0] for name in TEXT_PARTS if name in text.parts]


def _skeleton(text: SiteText, k_show: int) -> str:
    shown = [
        f"[{name}] {skeleton_text(own, others, k_show=k_show)}"
        for name, (own, others) in text.parts.items()
        if any(own.fixed)
    ]
    return "\n".join(shown) if shown else f"<{HIDDEN.format(k=k_show)}>"
