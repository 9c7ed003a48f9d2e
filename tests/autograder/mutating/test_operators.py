"""Operators of `autograder mutate`: each makes the change of its example, and code stays code."""

from __future__ import annotations

import ast

import pytest

from autograder.bank import load, right, wrong
from autograder.mutating import (
    batch_script_operators,
    library_calls,
    lightning_operators,
    program_operators,
    python_operators,
)
from autograder.mutating.answer_text import AnswerText, apply
from autograder.mutating.mutants import Mutant, mutants_of, split_magic
from tests.course import LABS

ROOMS = (python_operators, library_calls, lightning_operators, program_operators)
PYTHON = {name: of for room in ROOMS for name, of in room.OPERATORS.items()}
LINES = batch_script_operators.OPERATORS


@pytest.mark.parametrize("name", PYTHON)
def test_a_change_of_python(name: str) -> None:
    operator, before, after = PYTHON[name]
    changed = [apply(before, change) for change in operator(AnswerText(before))]
    assert after in changed
    assert before not in changed


@pytest.mark.parametrize("name", LINES)
def test_a_change_of_a_script(name: str) -> None:
    operator, before, after = LINES[name]
    changed = ["\n".join(lines) for lines in operator(before.splitlines())]
    assert after in changed
    assert before not in changed


def test_no_two_operators_have_one_name() -> None:
    assert len(PYTHON) == sum(len(room.OPERATORS) for room in ROOMS)
    assert not PYTHON.keys() & LINES.keys()


def test_letters_beyond_ascii_move_no_change() -> None:
    answer = AnswerText('f("å", 2)')
    assert apply(answer.text, next(python_operators.numbers(answer))) == 'f("å", 3)'


def mutants(lab: str, question_id: str) -> list[Mutant]:
    return mutants_of(LABS[lab], question_id, load(LABS[lab])[question_id])


def test_mutants_of_a_question_differ_from_each_other_and_from_its_bank() -> None:
    lab, cases = LABS["lab1_mnist"], load(LABS["lab1_mnist"])["fit"]
    made = mutants_of(lab, "fit", cases)
    trees = [ast.dump(ast.parse(mutant.code)) for mutant in made]
    assert len(set(trees)) == len(trees) > 100
    judged = [case.answer(lab.questions["fit"].solution) for case in cases]
    assert not {ast.dump(ast.parse(text)) for text in judged} & set(trees)


@pytest.mark.parametrize(
    ("lab", "question_id", "line"),
    [
        ("lab1_mnist", "wrap", "self.model.eval()"),
        ("lab1_mnist", "fit", "enable_model_summary=False, limit_val_batches=10,"),
        ("lab1_mnist", "evaluate", "images, labels = images[:64], labels[:64]"),
        ("lab3_ddp", "launch", "print('hello')"),
        ("lab5_slurm", "one_node", "#SBATCH --ntasks-per-node=8"),
        ("lab5_slurm", "one_node", "srun python train.py --devices 4 --num_workers 8 &"),
    ],
)
def test_mistakes_that_were_seen_are_among_the_mutants(
    lab: str, question_id: str, line: str
) -> None:
    lines = {text for mutant in mutants(lab, question_id) for text in mutant.after.splitlines()}
    assert line in lines


def test_of_a_right_answer_only_its_own_lines_are_changed() -> None:
    lab = LABS["lab1_mnist"]
    cases = [right("another", ("max_epochs=max_epochs", "max_epochs=int(max_epochs)"))]
    made = [m for m in mutants_of(lab, "fit", cases) if not m.of_solution]
    assert made
    assert all("int(max_epochs)" in mutant.before for mutant in made)


def test_a_mutant_that_the_bank_has_is_left_out() -> None:
    lab = LABS["lab1_mnist"]
    before = {mutant.after for mutant in mutants_of(lab, "fit", [])}
    line = 'EarlyStopping(monitor="val_acc", mode="max", patience=4)'
    assert f"{line}," in before
    cases = [wrong("patient", "LIT421", ("patience=3", "patience=4"))]
    assert {mutant.after for mutant in mutants_of(lab, "fit", cases)} == before - {f"{line},"}


def test_added_lines_are_told_apart_by_the_line_below() -> None:
    line = "@L.pytorch.utilities.rank_zero_only"
    changes = [m.change for m in mutants("lab1_mnist", "timer") if line in m.after]
    assert len(set(changes)) == len(changes) > 1


def test_the_magic_of_a_file_stays() -> None:
    assert split_magic("%%writefile a.py\nx = 1\n") == ("%%writefile a.py\n", "x = 1\n", "a.py")
    assert split_magic("x = 1\n") == ("", "x = 1\n", "")
    made = mutants("lab5_slurm", "one_gpu")
    assert all(mutant.code.startswith("%%writefile one_gpu.sbatch\n#") for mutant in made[1:])
