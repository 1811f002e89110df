"""A small agent as a user would write it; ``telemetry`` is the block of docs/collect.md, saved beside it.

Run as a program: ``python collected_agent.py BASE_URL``.
"""

import asyncio
import json
import sys

import telemetry  # type: ignore[import-not-found]
from openai import AsyncOpenAI, NotFoundError, OpenAI

BASE = {"base_url": sys.argv[1], "api_key": "sk-none"}
client = OpenAI(**BASE)
tracer = telemetry.trace.get_tracer("agent")

SYSTEM = {"role": "system", "content": "You find parcels."}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"To {name.replace('_', ' ')}",
            "parameters": {"type": "object", "properties": {"parcel": {"type": "string"}}},
        },
    }
    for name in ("find_parcel", "open_claim")
]


def find(ticket: str) -> None:
    """Ask, run the tool that the model calls, and ask again until it answers in words."""
    messages: list[dict[str, object]] = [SYSTEM, {"role": "user", "content": f"{ticket}: where is it?"}]
    with tracer.start_as_current_span("find a parcel", attributes={"gen_ai.conversation.id": ticket}):
        while True:
            said = (
                client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=TOOLS).choices[0].message
            )
            messages.append(said.model_dump(exclude_none=True))
            if not said.tool_calls:
                return
            messages += [
                {"role": "tool", "tool_call_id": call.id, "content": json.dumps({"seen": "Leeds"})}
                for call in said.tool_calls
            ]


def sum_up(ticket: str, **options: object) -> None:
    """Stream a summary."""
    asked = [{"role": "user", "content": f"{ticket}: sum it up."}]
    with tracer.start_as_current_span("sum up", attributes={"session.id": ticket, "user.id": "kim"}):
        for _ in client.chat.completions.create(model="gpt-4o-mini", messages=asked, stream=True, **options):
            pass


async def route(ticket: str) -> None:
    """Ask for a label, not waiting, by the Responses API."""
    with tracer.start_as_current_span("route", attributes={"session.id": ticket}):
        await AsyncOpenAI(**BASE).responses.create(
            model="gpt-4.1-mini", instructions="Answer with a queue.", input=f"{ticket}: which queue?"
        )


find("ticket-1")
find("ticket-2")
sum_up("ticket-1", stream_options={"include_usage": True})
sum_up("ticket-2")
asyncio.run(route("ticket-3"))
try:
    client.chat.completions.create(model="gpt-0", messages=[{"role": "user", "content": "ticket-4: hello?"}])
except NotFoundError:
    client.embeddings.create(model="text-embedding-3-small", input="ticket-4: hello?")
client.with_options(max_retries=1).chat.completions.create(
    model="gpt-4o-mini", messages=[{"role": "user", "content": "ticket-5: it fails once."}]
)
