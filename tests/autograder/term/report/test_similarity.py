"""Comparisons of answers end, whatever an answer holds, and put copies in front."""

import time
from pathlib import Path

import nbformat
import pytest

from autograder.bank import without_markers
from autograder.course import Course
from autograder.demo.made_up_students import fill_notebook
from autograder.grading.records import Record, RecordStore
from autograder.stubs import clear_answers
from autograder.term.report.similarity import find_similar, normalise

LAB, QUESTION = "lab1_mnist", "evaluate"
COPIED = """
class EvaluatedClassifier(WrappedClassifier):
    def __init__(self, network, lr=0.1):
        super().__init__(network, lr)
        self.sums = {stage: [0.0, 0, 0] for stage in ("val", "test")}

    def add_batch(self, batch, stage):
        images, labels = batch
        logits = self(images)
        total = self.sums[stage]
        total[0] += float(F.cross_entropy(logits, labels, reduction="sum"))
        total[1] += int((logits.argmax(1) == labels).sum())
        total[2] += len(labels)
        for place, name in enumerate(("loss", "acc")):
            self.log(f"{stage}_{name}", total[place] / total[2], on_step=False, on_epoch=True)
"""


@pytest.mark.parametrize("part", [" \n", "'\\N{", "x\n\t\n", "a."])
def test_a_very_long_answer_takes_no_time(part: str) -> None:
    started = time.process_time()
    normalise(part * 100_000)
    assert time.process_time() - started < 20


def test_blank_lines_make_no_difference() -> None:
    assert normalise("a = 1\n\n \nb = 2\n") == normalise("a = 1\nb = 2\n")


def test_a_copy_with_other_names_is_found(tmp_path: Path) -> None:
    """Among right answers that all look alike, and of which some share whole lines."""
    lab, store = Course(Path(__file__).resolve().parents[4]).lab(LAB), RecordStore(tmp_path)
    usual = without_markers(lab.questions[QUESTION].solution)
    renamed = COPIED
    for old, new in (("sums", "kept"), ("total", "t"), ("images", "xs"), ("labels", "ys")):
        renamed = renamed.replace(old, new)
    answers = {f"s{n}": f"{usual}\n# by hand {n // 2}, no copy" for n in range(8)}
    answers |= {"original": COPIED, "renamed": f"# my own work\n{renamed}"}
    records = [Record(LAB, student) for student in answers]
    for record in records:
        notebook = clear_answers(lab.notebook)
        filled = fill_notebook(notebook, {QUESTION: answers[record.student]})
        store.keep(record, nbformat.writes(filled))
    looks = find_similar(lab, records, store)
    same = [look.students for look in looks if "letter by letter" in look.what]
    (near,) = [look for look in looks if "nearly" in look.what]
    assert same == [["s0", "s1"], ["s2", "s3"], ["s4", "s5"], ["s6", "s7"]]
    assert near.students == ["original", "renamed"], "not those whose answers many have"
    assert "100% is in at most 1 other answer" in near.what
