"""Compare the catalogue's hosted prices with the installed price list, and write the snapshot anew.

    python benchmarks/catalogue.py [--write] [--date 2026-11-28]

Prints one line a difference and what has no listing. A listing is a provider's standard rate for one model: batch and
free rates, deprecated listings and rates of another release of the model do not count, and one provider's several
names for a model are one listing, its cheapest. Prices of models that the list does not hold stay as they are.
``--write`` puts medians, the cheapest and the count in place, with the date and the version of the list.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

TARGET = Path(__file__).resolve().parents[1] / "slmlens" / "savings" / "slm_catalogue.csv"
BOOK = "genai-prices"
PRICED = ("usd_in_median", "usd_out_median", "usd_in_min", "usd_out_min", "listings")
LISTED_AS = {
    "DeepSeek-R1-Distill-Llama-8B": r"deepseek-r1-distill-llama-8b",
    "DeepSeek-R1-Distill-Qwen-1.5B": r"deepseek-r1-distill-qwen-1\.5b",
    "DeepSeek-R1-Distill-Qwen-7B": r"deepseek-r1-distill-qwen-7b",
    "Llama-3.1-8B-Instruct": (
        r"(meta-)?llama-?3[.-]1-8b(-instruct(-(turbo|bf16|fp8|fp8-fast|v1:0))?|-instant)?|databricks-meta-llama-3-1-8b-instruct"
    ),
    "Llama-3.2-1B-Instruct": r"llama-?3[.-]2-1b-(instruct|preview|instruct-v1:0)",
    "Llama-3.2-3B-Instruct": r"llama-?3[.-]2-3b-(instruct|preview|instruct-v1:0)",
    "Ministral-3-3B-Instruct-2512": r"ministral-(3-3b-instruct|3b-2512)",
    "Ministral-3-8B-Instruct-2512": r"ministral-(3-8b-instruct|8b-2512)",
    "Ministral-8B-Instruct-2410": r"ministral-8b",
    "Mistral-7B-Instruct-v0.3": r"mistral-7b(-instruct(-v0\.3)?)?",
    "NVIDIA-Nemotron-Nano-9B-v2": r"(nvidia-)?nemotron-nano-9b-v2(:0)?",
    "Phi-3.5-mini-instruct": r"phi-3\.5-mini-128k-instruct",
    "Phi-4-mini-instruct": r"phi-4-mini-instruct",
    "Qwen2.5-7B-Instruct": r"qwen-?2\.5-7b-instruct",
    "Qwen2.5-Coder-7B-Instruct": r"qwen2\.5-coder-7b-instruct",
    "Qwen3-4B": r"qwen3-4b",
    "Qwen3-4B-Instruct-2507": r"qwen3-4b-instruct-2507",
    "Qwen3-8B": r"qwen3-8b",
    "Qwen3.5-9B": r"qwen3\.5-9b",
    "c4ai-command-r7b-12-2024": r"command-r7b(-12-2024)?",
    "gemma-2-2b-it": r"gemma-2-2b-it",
    "gemma-2-9b-it": r"gemma-?2-9b-it",
    "gemma-3-12b-it": r"(databricks-)?gemma-3-12b(-it)?",
    "gemma-3-4b-it": r"gemma-3-4b-it",
    "gemma-3n-E4B-it": r"gemma-3n-e4b-it",
    "gpt-oss-20b": r"(databricks-)?gpt-oss-20b(-1:0)?",
    "granite-4.0-h-micro": r"granite-4\.0-h-micro",
    "granite-4.2-8b": r"granite-4\.2-8b",
    "phi-4": r"phi-4",
}
"""Names of a model at its hosts: the last part of the listed id, behind the maker's name, as a pattern."""
_MAKER = re.compile(r"^(google|meta|mistral|nvidia|openai)\.")


@dataclass(frozen=True)
class Listing:
    """A host's standard rate, in USD a million tokens."""

    provider: str
    usd_in: float
    usd_out: float


def listings_of(pattern: str, at: dt.datetime) -> list[Listing]:
    """Return the listings of a model, one a host, its cheapest, in the order of the hosts' names."""
    cheapest: dict[str, Listing] = {}
    for one in _listed(re.compile(pattern, re.IGNORECASE), at):
        known = cheapest.get(one.provider)
        if known is None or one.usd_in + one.usd_out < known.usd_in + known.usd_out:
            cheapest[one.provider] = one
    return [cheapest[name] for name in sorted(cheapest)]


def _listed(pattern: re.Pattern[str], at: dt.datetime) -> Iterator[Listing]:
    from genai_prices.data_snapshot import get_snapshot

    for provider in get_snapshot().providers:
        for model in provider.models:
            name = _MAKER.sub("", model.id.rsplit("/", 1)[-1])
            if model.deprecated or not pattern.fullmatch(name):
                continue
            price = model.get_prices(at)
            usd_in, usd_out = _base(price.input_mtok), _base(price.output_mtok)
            if usd_in and usd_out:
                yield Listing(str(provider.id).removeprefix("huggingface_").removesuffix("-ai"), usd_in, usd_out)


def _base(rate: object) -> float | None:
    """Return the rate of a short request."""
    return None if rate is None else float(getattr(rate, "base", rate))  # type: ignore[arg-type]


def priced(listings: Sequence[Listing]) -> dict[str, str]:
    """Return the price columns of a row of the catalogue; empty without a listing."""
    if not listings:
        return dict.fromkeys(PRICED, "")
    inside, outside = [one.usd_in for one in listings], [one.usd_out for one in listings]
    cheapest = min(listings, key=lambda one: one.usd_in + one.usd_out)
    found = (median(inside), median(outside), cheapest.usd_in, cheapest.usd_out)
    return {
        **{name: f"{round(value, 4):g}" for name, value in zip(PRICED, found, strict=False)},
        "listings": str(len(listings)),
    }


def refreshed(row: dict[str, str], listings: Sequence[Listing], date: str) -> dict[str, str]:
    """Return a row of the catalogue at the listed prices, marked as confirmed; one the list does not hold as it is."""
    checked = set(filter(None, row["verified"].split("+"))) - {"price"}
    if not listings and not row["price_source"].startswith(BOOK):
        return {**row, "verified": "+".join(sorted(checked))}
    source = f"{BOOK} {version(BOOK)}" if listings else ""
    verified = "+".join(sorted(checked | ({"price"} if listings else set())))
    return {
        **row,
        **priced(listings),
        "price_source": source,
        "price_date": date if listings else "",
        "verified": verified,
    }


def differences(before: dict[str, str], after: dict[str, str], listings: Sequence[Listing]) -> str:
    """Return in words what of a row's price changed; empty: nothing."""
    changed = [
        f"{name} {before[name] or 'none'} -> {after[name] or 'none'}" for name in PRICED if before[name] != after[name]
    ]
    hosts = ", ".join(one.provider for one in listings) or "no listing"
    return f"{before['model']}: {'; '.join(changed)} ({hosts})" if changed else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--date", default=dt.datetime.now(dt.UTC).date().isoformat())
    asked = parser.parse_args()
    at = dt.datetime.combine(dt.date.fromisoformat(asked.date), dt.time(12), dt.UTC)
    with TARGET.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    written = []
    for row in rows:
        listings = listings_of(LISTED_AS[row["model"]], at) if row["model"] in LISTED_AS else []
        after = refreshed(row, listings, asked.date)
        if said := differences(row, after, listings):
            print(said)
        written.append(after)
    priced_here = sum(row["price_source"].startswith(BOOK) for row in written)
    elsewhere = [row["model"] for row in written if row["usd_in_median"] and not row["price_source"].startswith(BOOK)]
    print(
        f"{len(rows)} models; {priced_here} priced by {BOOK} {version(BOOK)}; from another list: {', '.join(elsewhere)}"
    )
    if asked.write:
        with TARGET.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(written)


if __name__ == "__main__":
    main()
