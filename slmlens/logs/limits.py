"""How large a line, a document or an archive may be, so that no file fills the memory; each bound with its reason."""

from __future__ import annotations

from dataclasses import dataclass

_MB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds on one input file.

    :param line: Bytes of one line. The largest request that a provider takes is 50 MB (OpenAI's images in one request),
        32 MB at Anthropic.
    :param whole: Bytes of a JSON array, or of an object around one, beyond which its elements are read one by one.
    :param document: Bytes of any other JSON document, which is read at once.
    :param table: Bytes of a Parquet file inside an archive or compressed once more, which is read at once.
    :param inflated_floor: Bytes that a compressed file may inflate to, however small it is.
    :param inflated_ratio: Beyond the floor, bytes that it may inflate to for each of its own. Deflate cannot exceed
        1,032; a log of long, repeated prompts reaches some hundreds.
    :param lines_floor: Lines that a compressed file may hold, however small it is.
    :param bytes_per_line: Beyond the floor, compressed bytes that each line must stand for. A line that differs from
        the one before by an id or a time takes more than this; lines that are all the same take less than one.
    :param refused: Lines without JSON that are listed one by one; of more, each run is one record.
    :param members: Files in one archive.
    :param head: Bytes after which no further records are looked at to recognise the format.
    """

    line: int = 64 * _MB
    whole: int = 16 * _MB
    document: int = 256 * _MB
    table: int = 512 * _MB
    inflated_floor: int = 1024 * _MB
    inflated_ratio: int = 1000
    lines_floor: int = 100_000
    bytes_per_line: int = 4
    refused: int = 100_000
    members: int = 10_000
    head: int = 16 * _MB

    def inflated(self, compressed: int) -> int:
        """Return the bytes that a compressed file may inflate to.

        :param compressed: Its bytes, or as many of them as were read.
        """
        return self.inflated_floor + self.inflated_ratio * compressed

    def lines(self, compressed: int) -> int:
        """Return the lines that a compressed file may hold.

        :param compressed: Its bytes, or as many of them as were read.
        """
        return self.lines_floor + compressed // self.bytes_per_line


LIMITS = Limits()
"""The bounds that reading keeps to."""
