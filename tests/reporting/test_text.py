"""Text from a log is shown, never obeyed."""

from hypothesis import given
from hypothesis import strategies as st

from slmlens.reporting.card import skeleton
from slmlens.reporting.text import counted, ends, joined, shorten, visible, visible_tree, without_scheme


@given(st.text(st.characters(codec=None)))
def test_what_was_made_visible_stays_as_it_is_and_can_be_written(text):
    shown = visible(text)
    assert visible(shown) == shown
    shown.encode("utf-8")


def test_reordering_and_terminal_characters_are_spelled_out():
    assert visible("pay\u202egnp.exe\x1b[31m\x00") == "pay⟨U+202E⟩gnp.exe⟨U+001B⟩[31m⟨U+0000⟩"
    assert visible("a\U000e0041\u200bb\u2028c\ud800") == "a⟨U+E0041⟩⟨U+200B⟩b⟨U+2028⟩c⟨U+D800⟩"


def test_ordinary_writing_is_left_alone():
    for text in ("naïve café", "日本語\n改行\tタブ", "سلام", "नमस्ते क्\u200dष", "👩\u200d👩\u200d👧"):
        assert visible(text) == text
    assert visible("a\r\nb") == "a\nb"


def test_every_string_of_a_record_is_made_visible():
    assert visible_tree({"a\x00": ["b\x1b", 3, None, {"c": True}]}) == {
        "a⟨U+0000⟩": ["b⟨U+001B⟩", 3, None, {"c": True}]
    }


@given(st.text(), st.integers(2, 50))
def test_a_shortened_text_fits(text, limit):
    assert len(shorten(text, limit)) <= limit
    assert len(ends(text, limit + 10)) <= limit + 10


def test_sources_lose_their_scheme_and_nothing_else():
    assert without_scheme("see https://example.org/a and s3://b") == "see example.org/a and b"


def test_typed_holes_of_a_skeleton_are_marked_and_everything_else_is_escaped():
    shown = str(skeleton('<b onclick="x">Hi</b> <text, 12-80 words> to <EMAIL> or <one of 7 values>'))
    assert shown.count('<span class="hole">') == 3
    assert "&lt;b onclick=" in shown
    assert "<b" not in shown


def test_counts_and_lists_read_as_english():
    assert (counted(1, "task"), counted(1204, "task")) == ("1 task", "1,204 tasks")
    assert joined([]) == ""
    assert joined(["a", "b", "c"]) == "a, b and c"
