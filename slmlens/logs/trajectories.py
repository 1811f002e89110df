"""Trajectories that agents save (ATIF, SWE-agent, MINT, tau-bench, smolagents): what stood before is the prompt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slmlens.logs.content import text_of
from slmlens.logs.decode import UnreadableError, digest, encode
from slmlens.logs.exchange import Body, string
from slmlens.logs.framework_messages import decoded, object_of
from slmlens.logs.usage import usage_body

Record = Mapping[str, object]


def listed(value: object) -> list[Body]:
    """Return the objects of a list; of anything else none.

    :param value: A logged value.
    """
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def own_session(*told: object) -> str | None:
    """Return an id for a conversation that has none, from what it says; None if that is nested too deeply.

    :param told: What tells it from others.
    """
    try:
        return digest(encode(list(told))).hex()
    except UnreadableError:
        return None


def answer(said: Body, **beside: object) -> Body:
    """Return a message as the only choice of a response body.

    :param said: The assistant's message.
    :param beside: Further keys of the body, such as ``usage`` and ``model``.
    """
    kept = {key: one for key, one in beside.items() if one is not None}
    return {"choices": [{"message": {"role": "assistant", **said}}], **kept}


def atif_calls(record: Record) -> Iterator[Record]:
    """Yield the calls of an ATIF trajectory (v1.0 to v1.8), those of its subagents after its own.

    Steps of the agent are calls, but for those copied from an earlier trajectory and those that called no model.

    :param record: The document.
    """
    agent = object_of(record.get("agent"))
    session = string(record.get("session_id")) or string(record.get("trajectory_id")) or own_session(record)
    said: list[Body] = []
    for step in listed(record.get("steps")):
        source = step.get("source")
        if source != "agent":
            said.append({"role": "system" if source == "system" else "user", "content": step.get("message")})
            said += _atif_results(step)
            continue
        calls = [
            {"id": one.get("tool_call_id"), "name": one.get("function_name"), "arguments": one.get("arguments")}
            for one in listed(step.get("tool_calls"))
        ]
        message: Body = {"role": "assistant", "content": step.get("message"), "tool_calls": _called(calls)}
        if step.get("is_copied_context") is not True and step.get("llm_call_count") != 0:
            yield _atif_call(step, message, said, agent, session)
        said += [message, *_atif_results(step)]
    for inner in listed(record.get("subagent_trajectories")):
        yield from atif_calls({"session_id": session, **inner})


def _atif_call(step: Body, message: Body, said: list[Body], agent: Body, session: str | None) -> Record:
    metrics = object_of(step.get("metrics"))
    usage = usage_body(
        inputs=metrics.get("prompt_tokens"),
        outputs=metrics.get("completion_tokens"),
        cached=metrics.get("cached_tokens"),
    )
    return {
        "request": {"messages": list(said), "tools": agent.get("tool_definitions") or None},
        "response": answer(message, usage=usage if metrics else None),
        "model": string(step.get("model_name")) or string(agent.get("model_name")),
        "timestamp": step.get("timestamp"),
        "cost_usd": metrics.get("cost_usd"),
        "session_id": session,
        "agent_name": string(agent.get("name")),
    }


def _atif_results(step: Body) -> list[Body]:
    found = listed(object_of(step.get("observation")).get("results"))
    return [
        {"role": "tool" if one.get("source_call_id") else "user", "content": one.get("content")}
        for one in found
        if one.get("content") is not None
    ]


def _called(calls: list[Body]) -> list[Body] | None:
    made = [
        {"id": one.get("id"), "type": "function", "function": {"name": one.get("name"), "arguments": one["arguments"]}}
        for one in calls
        if "arguments" in one
    ]
    return made or None


def swe_agent_calls(record: Record) -> Iterator[Record]:
    """Yield the calls of a SWE-agent trajectory or demonstration: each answer of the model in its history.

    Demonstrations inside a prompt are prompt, not calls. A trajectory tells tokens and cost of the whole run only, so
    its calls have none.

    :param record: ``{history, trajectory, info}``.
    """
    config = object_of(decoded(record.get("replay_config")))
    model = string(object_of(object_of(config.get("agent")).get("model")).get("name"))
    history = listed(record.get("history"))
    session = own_session(history)
    said: list[Body] = []
    for one in history:
        message = {key: one[key] for key in ("role", "content", "tool_calls") if one.get(key) is not None}
        if one.get("role") == "assistant" and one.get("is_demo") is not True:
            yield {
                "request": {"messages": list(said)},
                "response": answer(message),
                "model": model,
                "session_id": session,
                "agent_name": string(one.get("agent")),
            }
        said.append(message)


def mint_calls(record: Record) -> Iterator[Record]:
    """Yield the calls of a run of MINT's agent: each answer of the model in its history.

    :param record: ``{state: {history, ...}, task}``; ``session_id`` and ``model`` where they were written beside.
    """
    said = [
        {key: one[key] for key in ("role", "content") if one.get(key) is not None}
        for one in listed(object_of(record.get("state")).get("history"))
    ]
    session = string(record.get("session_id")) or own_session(record.get("task"), said)
    for place, one in enumerate(said):
        if one.get("role") == "assistant":
            yield {
                "request": {"messages": said[:place]},
                "response": answer(one),
                "model": string(record.get("model")),
                "session_id": session,
            }


def tau_calls(record: Record) -> Iterator[Record]:
    """Yield the calls of a tau-bench run: each message of the assistant; the simulated user's are not the agent's.

    :param record: ``{task_id, traj, ...}``, or ``{simulations, info}`` of tau2-bench.
    """
    if "traj" not in record:
        told = object_of(object_of(record.get("info")).get("agent_info"))
        for simulation in listed(record.get("simulations")):
            yield from _tau2_calls(simulation, string(told.get("llm")))
        return
    said = listed(record.get("traj"))
    session = own_session(record.get("task_id"), record.get("trial"), said)
    for place, one in enumerate(said):
        if one.get("role") == "assistant":
            yield {"request": {"messages": said[:place]}, "response": answer(one), "session_id": session}


def _tau2_calls(simulation: Body, model: str | None) -> Iterator[Record]:
    said: list[Body] = []
    session = string(simulation.get("id")) or own_session(simulation)
    for one in listed(simulation.get("messages")):
        raw = object_of(one.get("raw_data"))
        calls = [call for call in listed(one.get("tool_calls")) if call.get("requestor") != "user"]
        message: Body = {"role": one.get("role"), "content": one.get("content"), "tool_calls": _called(calls)}
        if one.get("role") == "assistant":
            seconds = one.get("generation_time_seconds")
            yield {
                "request": {"messages": list(said)},
                "response": raw if raw.get("choices") else answer(message, usage=one.get("usage")),
                "model": model,
                "session_id": session,
                "timestamp": one.get("timestamp"),
                "latency_s": seconds,
                "cost_usd": one.get("cost"),
            }
        said.append(message)


def smolagents_calls(record: Record) -> Iterator[Record]:
    """Yield the call of a step of a smolagents memory; a task or a system prompt is none.

    :param record: A step with ``model_input_messages`` and ``model_output``.
    """
    output = object_of(record.get("model_output_message"))
    text = record.get("model_output", output.get("content"))
    asked = listed(record.get("model_input_messages"))
    if not asked or (text is None and not output):
        return
    timing, usage = object_of(record.get("timing")), object_of(record.get("token_usage"))
    calls = [{"id": one.get("id"), **object_of(one.get("function"))} for one in listed(output.get("tool_calls"))]
    yield {
        "request": {"messages": [_smol_message(one) for one in asked]},
        "response": answer({"content": text_of(text), "tool_calls": _called(calls)}, usage=usage or None),
        "start_time": timing.get("start_time"),
        "end_time": timing.get("end_time"),
        "session_id": own_session(asked[:2]),
    }


def _smol_message(one: Body) -> Body:
    """Return a message; enumerations that were written by their representation are read too."""
    role = str(one.get("role", "user")).rsplit(".", maxsplit=1)[-1].strip("<>' ").lower().replace("_", "-")
    named = {"tool-call": "assistant", "tool-response": "user"}.get(role.split(":", maxsplit=1)[0], role)
    return {"role": named, "content": one.get("content")}
