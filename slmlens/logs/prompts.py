"""Prompts of a conversation, rebuilt from lines that name the line before them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Node:
    """One line of a conversation.

    ``messages`` are the numbers of the messages that the line stands for; ``group`` is the first line of the answer
    that a line continues; ``before`` stands for a parent that the file does not name.
    """

    number: int
    file: int
    uuid: str | None
    parent: str | None
    chain: tuple[bool, str | None]
    messages: tuple[int, ...]
    started_us: int | None
    orphan: bool = False
    speaks: bool = False
    group: Node | None = None
    before: Node | None = None
    tools: list[str] | None = None  # tool calls of an answer; None: not an answer
    answers_tools: list[str] = field(default_factory=list)  # tool calls that a user's line answers

    @property
    def answer(self) -> Node | None:
        """The first line of the answer that this line belongs to, or None if it belongs to none."""
        return self.group or (self if self.tools is not None else None)


class PromptBuilder:
    """Walks from an answer up to the start of its context, once: the prompt up to an earlier answer is remembered."""

    def __init__(self) -> None:
        self._by_uuid: dict[str, Node] = {}
        self._results: dict[str, Node] = {}
        self._prompts: dict[int, list[int]] = {}
        self._steps: dict[int, tuple[list[Node], Node | None]] = {}

    def add(self, node: Node) -> None:
        """Take a line.

        :param node: The line.
        """
        if node.uuid:
            self._by_uuid.setdefault(node.uuid, node)
        for tool in node.answers_tools:
            self._results.setdefault(tool, node)

    def prompt(self, answer: Node) -> list[int]:
        """Return the numbers of the messages before an answer, from the start of its context.

        Results of parallel tool calls stand on side branches of the conversation; they are put behind their answer.

        :param answer: The first line of the answer.
        """
        waiting, entered = [answer], {answer.number}
        while waiting:
            node = waiting[-1]
            if node.number in self._prompts:
                waiting.pop()
                continue
            between, earlier = self._walk(node)
            if earlier is not None and earlier.number not in self._prompts and earlier.number not in entered:
                entered.add(earlier.number)
                waiting.append(earlier)
                continue
            self._prompts[node.number] = self._joined(between, earlier)
        return self._prompts[answer.number]

    def previous(self, answer: Node) -> Node | None:
        """Return the answer before this one in its context, or None.

        :param answer: The first line of the answer.
        """
        return self._walk(answer)[1]

    def asked_at(self, answer: Node) -> int | None:
        """Return when the last line before an answer was written, or None.

        :param answer: The first line of the answer.
        """
        before = self._before(answer)
        return before.started_us if before is not None else None

    def _before(self, node: Node) -> Node | None:
        return self._by_uuid.get(node.parent) if node.parent else node.before

    def _walk(self, answer: Node) -> tuple[list[Node], Node | None]:
        """Return the lines between an answer and the one before it, oldest first, and that one."""
        known = self._steps.get(answer.number)
        if known is not None:
            return known
        between: list[Node] = []
        seen = {answer.number}
        node = self._before(answer)
        while node is not None and node.number not in seen:
            seen.add(node.number)
            earlier = node.answer
            if earlier is not None and earlier.number != answer.number:
                break
            if earlier is None:
                between.append(node)
            node = self._before(node)
        else:
            node = None
        found = (between[::-1], node.answer if node is not None else None)
        self._steps[answer.number] = found
        return found

    def _joined(self, between: list[Node], earlier: Node | None) -> list[int]:
        joined: list[int] = []
        if earlier is not None:
            joined = [*self._prompts.get(earlier.number, ()), *earlier.messages]
            on_path = {node.number for node in between}
            for tool in earlier.tools or ():
                result = self._results.get(tool)
                if result is not None and result.number not in on_path:
                    joined += result.messages
                    on_path.add(result.number)
        return [*joined, *(number for node in between for number in node.messages)]
