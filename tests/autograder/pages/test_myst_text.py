"""Pieces of MyST: what surrounds a text never ends within it, and what is plain stays plain."""

import pytest
from markdown_it.renderer import RendererHTML
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

from autograder.pages.myst_text import (
    bold_terms,
    directive,
    dropdown,
    escape,
    fence,
    headings,
    sections,
    tables,
    with_dropdowns,
    with_links,
)

PARSER = create_md_parser(MdParserConfig(enable_extensions={"colon_fence"}), RendererHTML)


def blocks(text: str) -> list[tuple[str, str]]:
    """Kind and information of the outermost blocks, as MyST reads them."""
    return [(token.type, token.info) for token in PARSER.parse(text) if token.level == 0]


@pytest.mark.parametrize("code", ["x = 1", "```\nx\n```", "a ```` b", "````{raw} html\n````", ""])
def test_a_fence_is_longer_than_what_it_holds(code: str) -> None:
    (token,) = PARSER.parse(fence(code, "python"))
    assert (token.type, token.info, token.content.rstrip()) == ("fence", "python", code)


@pytest.mark.parametrize("depth", range(4))
def test_boxes_stand_in_boxes(depth: int) -> None:
    text = "inner"
    for _ in range(depth):
        text = directive("demo", f"{text}\n\n{fence(':::', 'text')}", "A title")
    assert blocks(directive("exercise", text)) == [("colon_fence", "{exercise}")]


def test_details_become_dropdowns() -> None:
    text = "before\n\n<details><summary>Hint 1</summary>\n\n- a\n</details>\n\nafter"
    assert with_dropdowns(text.replace("a\n<", "a <")) == with_dropdowns(text)
    assert with_dropdowns(text) == f"before\n\n{dropdown('Hint 1', '- a')}\n\nafter"
    assert dropdown("Hint", "x").startswith(":::{hint}\n:class: dropdown\n")


@pytest.mark.parametrize(
    "plain", ["self.model = model, __init__ and *args", "a | b <c> [d](e) `f` {g}`h` $i$ #j ~k\\l"]
)
def test_a_plain_text_stays_plain(plain: str) -> None:
    (inline,) = [token for token in PARSER.parse(escape(plain)) if token.type == "inline"]
    assert {child.type for child in inline.children or []} <= {"text", "text_special"}
    assert "".join(child.content for child in inline.children or []) == plain


def test_headings_of_code_are_none() -> None:
    text = "# A `b`\n\n```bash\n# no heading\n```\n\n### C\ntext\n"
    assert headings(text) == [(1, "A `b`"), (3, "C")]
    assert [part.body for part in sections(text)] == ["", "```bash\n# no heading\n```", "text"]


def test_tables_and_bold_words() -> None:
    (table,) = tables("x\n\n| word | meaning |\n|---|---|\n| **a** | `b` |\n\ny")
    assert table.rows == (("word", "meaning"), ("**a**", "`b`"))
    assert table.source.count("\n") == 2
    assert not bold_terms(table.source)
    assert bold_terms("- A **`Trainer`**\n  runs\n- more") == {"Trainer": "A **`Trainer`** runs"}


def test_links_lead_to_pages_or_nowhere() -> None:
    text = "[a](R.md#x), [`b`](c/d.py), [e](https://f.g), ![h](i.svg)"
    expected = "[a](r.md), `b`, [e](https://f.g), ![h](p/i.svg)"
    assert with_links(text, {"R.md": "r.md"}, lambda name: f"p/{name}") == expected
