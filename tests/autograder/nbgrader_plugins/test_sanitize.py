"""Nothing of a submission runs in the pages that show it: the feedback and the formgrader's."""

import base64
import copy
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbconvert.filters import markdown2html_mistune
from nbformat import NotebookNode, v4

from autograder.nbgrader_plugins import submission_metadata
from autograder.nbgrader_plugins.repair import repair
from autograder.nbgrader_plugins.sanitize import sanitize, sanitize_text
from autograder.nbgrader_plugins.submissions import reading
from tests.pages import Page, active

RUN = "run(1)"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(16)).decode()
HTML = f"<script>{RUN}</script><img src=x onerror='{RUN}'>"
PYTHON = {"name": "python3", "display_name": "Python 3"}
LESSON = (
    "A <b>lesson</b>, <a href='submission_metadata.html'>notes</a> & $a<b$ ![x](attachment:x.png)"
)

TEXTS = (
    HTML,
    f"text <IMG SRC=x OnError={RUN}> and <svg/onload={RUN}>",
    f"<scr\x00ipt>{RUN}</scr\x00ipt>, <\x00script>{RUN}</script>",
    f"<!-- --><iframe srcdoc='{HTML}'></iframe><base href=//x><form action=x><meta http-equiv=x>",
    "<style>body{display:none}</style><link rel=stylesheet href=x><object data=x><embed src=x>",
    f"<div\nonclick={RUN}\n>\n\nover</div>",
    f"`<script>`\n\n```\n{HTML}\n```\n\n    {HTML}",
    f"```mermaid\n{HTML}\n```\n\n~~~ mermaid\nclick a '{RUN}'\n~~~",
    f"```\u00a0mermaid\n{HTML}\n```",
    f"```x'onclick={RUN} <b>\ncode\n```",
    f"[a](javascript:{RUN}) [b](JaVaScRiPt:{RUN}) [c](java\\script:{RUN}) [d](javascript\\:{RUN})",
    f"[a](< javascript:{RUN}>) [b](<javascript:{RUN}>) [c](\tjavascript:{RUN})",
    "[a](\x01javascript:x) [b](\x0bjavascript:x)",
    f"[a](javascript&colon;{RUN}) [b](&#106;avascript:{RUN}) [c](java&Tab;script:{RUN})",
    f"[a](vbscript:{RUN}) [b](data:text/html;base64,PHNjcmlwdD4=) <javascript:{RUN}>",
    f"![a](javascript:{RUN}) ![b](data:image/svg+xml;base64,PHN2Zz4=) ![c](x'onerror={RUN})",
    f"[a][r] ![r] [r]\n\n[r]: javascript:{RUN}\n[r] : javascript:{RUN}\n\n> [r]:\n> javascript:x",
    "[a](evil.html) [b](./evil.svg) [c](/formgrader/api/x) [d](evil.html#x.png)",
    f'[a](https://x.org/"onclick="{RUN}) [b](https://x.org \'a" onclick="{RUN}\') https://x"on=1',
    f'# <b onclick={RUN}>\n\n# a" onclick="{RUN}\n\n| <i onclick={RUN}> |\n|-|\n| {HTML} |',
    rf"$\href{{javascript:{RUN}}}{{x}}$ $$\href {{x}}{{y}}$$ \\(\href1\\) \\\\href{{x}}",
    r"\begin{align}\class{x}{y} \cssId{x}{y} \style{position:fixed}{x}\end{align} &#92;href{x}{y}",
    "$\\hr\x00ef{x}{y}$ $\\h\x7fref{x}{y}$",
    r"$\require{html}\let\z\href \csname href\endcsname$",
    f"$a <img src=x onerror={RUN}>$ \\begin{{<i>}}{HTML}\\end{{<i>}} &lt;script&gt;",
    "![x](attachment:x.svg) ![x](attachment:x.png) ![x](attachment:gone.png) ![x](<attachment:y>)",
    f"[a](attachment:x.html) <img src='attachment:x.png' onerror={RUN}>",
)
DATA: tuple[dict[str, Any], ...] = (
    {"text/html": HTML},
    {"text/html": HTML, "text/plain": HTML},
    {"application/javascript": RUN},
    {"image/svg+xml": f"<svg onload='{RUN}'/>"},
    {"text/markdown": HTML},
    {"text/latex": rf"$\href{{javascript:{RUN}}}{{x}}${HTML}"},
    {
        "text/plain": [
            rf"$\href{{javascript:{RUN}}}{{x}}$",
            HTML,
            "\x1b[31m<b>\x1b]8;;javascript:x\x07",
        ]
    },
    {"image/png": f'x"><script>{RUN}</script>'},
    {"image/png": PNG + f'" onerror="{RUN}'},
    {"image/jpeg": ["\u00e9", HTML]},
    {"image/png": PNG},
    {"application/vnd.jupyter.widget-view+json": {"model_id": HTML}},
    {"text/vnd.mermaid": HTML},
    {"application/pdf": HTML, "application/x-" + HTML: HTML},
)
METADATA = {
    "isolated": True,
    "text/html": {"isolated": True},
    "width": f"1 onerror={RUN}",
    "filenames": {"image/png": f"javascript:{RUN}"},
    "image/png": {"width": 10**9, "height": f"1 onload={RUN}", "alt": HTML, "unconfined": True},
}


def cell(name: str, source: str, **marks: object) -> NotebookNode:
    nbgrader = {"grade": False, "solution": False, "locked": True, "grade_id": name, **marks}
    made: NotebookNode = v4.new_code_cell(source, id=name, metadata={"nbgrader": nbgrader})
    return made


@pytest.fixture(scope="module")
def unsolved() -> NotebookNode:
    """A lab with a lesson in HTML, and one question."""
    lesson = v4.new_markdown_cell(LESSON, attachments={"x.png": {"image/png": PNG}})
    answer = cell("one", "def one(): ...", solution=True, locked=False)
    check = cell("one-check", "check.one()", grade=True, points=3)
    metadata = {"language_info": {"name": "python"}, "kernelspec": PYTHON}
    made: NotebookNode = v4.new_notebook(cells=[lesson, answer, check], metadata=metadata)
    return made


@pytest.fixture(scope="module")
def plain(unsolved: NotebookNode) -> Counter[str]:
    """What the pages have of their own."""
    return active(unsolved)


@pytest.fixture
def graded(unsolved: NotebookNode, tmp_path: Path) -> Callable[..., NotebookNode]:
    """What becomes of the lab, with `change` made to the file, and outputs to its answer."""

    def grade(
        change: Callable[[dict[str, Any]], object] = lambda _: None,
        outputs: list[dict[str, Any]] | None = None,
    ) -> NotebookNode:
        sent = json.loads(json.dumps(unsolved))
        change(sent)
        path = tmp_path / "sent.ipynb"
        path.write_text(json.dumps(sent), encoding="utf-8")
        made = reading.read(path, unsolved)
        assert not submission_metadata.read(made).trouble
        repair(made, unsolved)
        answers = [c for c in made.cells if c.source == "def one(): ..."]
        answers[0].outputs = [NotebookNode(output) for output in outputs or []]
        sanitize(made, unsolved)
        again = copy.deepcopy(made)
        sanitize(again, unsolved)
        assert again == made
        return made

    return grade


def added(*cells: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    return lambda sent: sent["cells"].extend(cells)


@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_no_text_runs(kind: str, plain: Counter[str], graded: Callable[..., NotebookNode]) -> None:
    bundle = {"text/html": HTML, "image/svg+xml": HTML, "image/png": f'"><script>{RUN}</script>'}
    attachments = {
        "x.svg": {"image/svg+xml": "PHN2Zz4="},
        "x.png": {"image/svg+xml": "PHN2Zz4=", "image/png": PNG},
        "x.html": bundle,
        f'y"onerror={RUN}': {"image/png": PNG},
    }
    for text in TEXTS:
        sent = {"cell_type": kind, "metadata": {"raw_mimetype": "text/html"}, "source": text}
        more = {"attachments": attachments} if kind == "markdown" else {}
        assert active(graded(added({**sent, **more}))) <= plain, text


def test_the_same_texts_would_run(unsolved: NotebookNode, plain: Counter[str]) -> None:
    """So that a page of which a test sees nothing does not pass for a harmless one."""
    texts = [text for text in TEXTS if "attachment:" not in text]  # nbconvert stops at those
    seen = 0
    for text in texts:
        notebook = copy.deepcopy(unsolved)
        notebook.cells.append(v4.new_markdown_cell(text))
        seen += not active(notebook) <= plain
    assert seen > len(texts) / 2


def test_no_output_runs(plain: Counter[str], graded: Callable[..., NotebookNode]) -> None:
    for data in DATA:
        for kind in ("display_data", "execute_result"):
            output = {"output_type": kind, "data": data, "metadata": METADATA}
            output["execution_count"] = HTML
            made = graded(outputs=[output])
            assert json.dumps(made).find("onerror") < 0 or "text/plain" in data
            assert active(made) <= plain, data


def test_streams_and_errors_stay_and_do_not_run(
    plain: Counter[str], graded: Callable[..., NotebookNode]
) -> None:
    text = f"</pre></script>{HTML}\x1b[38;2;1;2;3m\x1b[1;31m<b>\x1b]8;;javascript:x\x1b\\x"
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": text},
        {"output_type": "stream", "name": HTML, "text": [text, text]},
        {"output_type": "error", "ename": HTML, "evalue": text, "traceback": [text, HTML]},
        {"output_type": HTML, "data": HTML},
    ]
    made = graded(outputs=outputs)
    kept = made.cells[1].outputs
    assert [output.get("text") for output in kept] == [text, text + text, None]
    assert kept[2].traceback == [text, HTML]
    assert active(made) <= plain


def test_no_metadata_run(plain: Counter[str], graded: Callable[..., NotebookNode]) -> None:
    odd = f'"><script>{RUN}</script>'

    def change(sent: dict[str, Any]) -> None:
        state = {"application/vnd.jupyter.widget-state+json": {"state": {odd: odd}}}
        sent["metadata"] = {
            "title": odd, "widgets": state, "kernelspec": {"name": odd, "display_name": odd},
            "language_info": {"name": odd, "pygments_lexer": odd}, "litcourse": odd,
        }  # fmt: skip
        marks = {"grade": True, "solution": True, "grade_id": odd, "points": odd, "task": True}
        for kind in ("code", "markdown", "raw"):
            metadata = {"nbgrader": marks, "tags": [odd], "magics_language": odd, "alt": odd}
            made = {"cell_type": kind, "id": odd, "metadata": metadata, "source": "pass"}
            sent["cells"].append({**made, "execution_count": odd, "outputs": []})
        for known in sent["cells"][:3]:
            known["metadata"].setdefault("nbgrader", {}).update(points=odd, comment=odd)
            known["metadata"].update(tags=[odd], litcourse={"skip": odd}, transient=odd)
            known["execution_count"] = odd

    made = graded(change)
    assert RUN not in json.dumps(made)
    assert active(made) <= plain


def test_what_is_the_labs_stays(
    unsolved: NotebookNode, graded: Callable[..., NotebookNode]
) -> None:
    swapped = {"x.png": {"image/svg+xml": "PHN2Zz4="}, "y.png": {"image/png": PNG}}
    made = graded(lambda sent: sent["cells"][0].update(attachments=swapped))
    assert [c.source for c in made.cells] == [c.source for c in unsolved.cells]
    assert [c.metadata for c in made.cells] == [c.metadata for c in unsolved.cells]
    assert made.cells[0].attachments == unsolved.cells[0].attachments
    assert made.metadata.kernelspec == unsolved.metadata.kernelspec
    head = "<p>mended</p>"
    made.cells.insert(0, v4.new_markdown_cell(head))
    made.cells.append(v4.new_markdown_cell(head))
    sanitize(made, unsolved, head)
    assert [made.cells[0].source, made.cells[-1].source] == [head, "< p>mended< /p>"]


def test_honest_texts_read_as_before(graded: Callable[..., NotebookNode]) -> None:
    text = (
        "# Answer\n\n1. *It* is `a < b`, $x_{[1]} < 2$, R & D, and\n\n"
        "$$\\begin{pmatrix}1 & 2\\\\ 3 & 4\\end{pmatrix}$$\n\n"
        "> [docs](https://lightning.ai/docs), ![plot](plots/loss.png) ![x](attachment:my-x.png)\n\n"
        "```python\nif a[0] < 1 and {'data': 1}: print(a[0])\n```\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    picture = {"my-x.png": {"image/png": PNG}}
    sent = {"cell_type": "markdown", "metadata": {}, "source": text, "attachments": picture}
    made = graded(added(sent)).cells[-1]
    assert made.source == text
    assert made.attachments == picture


def test_pictures_and_text_among_outputs_stay(graded: Callable[..., NotebookNode]) -> None:
    data = {"text/plain": "<Figure>", "image/png": PNG + "\n", "text/html": "<table>"}
    made = graded(outputs=[{"output_type": "display_data", "data": data, "metadata": METADATA}])
    (output,) = made.cells[1].outputs
    assert output == {
        "output_type": "display_data",
        "data": {"image/png": PNG, "text/plain": "<Figure>"},
        "metadata": {},
    }


PIECES = st.sampled_from(
    [
        "<", ">", "script", "/", "img src=x onerror=x", "!--", "&", "#60;", "lt;", "#92", ";", "\\",
        "href", "{x}", "[a]", "[", "]", "(", ")", ":", "javascript:x", "https://x.org",
        "x.png", "evil.html", '"', "'", " ", "\t", "\n", "\n\n", "\r", "\x00", "\x0b", "\x7f", "`",
        "```", "~~~", "mermaid", "$", "$$", "*", "_", "|", "\n|-|\n", "> ", "- ", "# ", "    ", "=",
        "attachment:",
        "\\begin{a}", "\\end{a}", "\\\\(", "\\\\)", "\\\\[", "\\\\]", "onclick=x", "\u00a0", "b",
        "](", "]:",
    ]
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.lists(PIECES, max_size=24).map("".join))
def test_no_text_put_together_at_random_runs(text: str) -> None:
    made = sanitize_text(text)
    assert sanitize_text(made) == made
    assert Page(markdown2html_mistune(made)).found == Counter(), made
