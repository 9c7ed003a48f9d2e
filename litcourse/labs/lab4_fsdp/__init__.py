"""Lab 4, models that do not fit: FSDP, wrapping policies, FSDP2, ZeRO."""

GRADING_NEEDS = {"torch": "2.9.1"}
"""Distributions that grading needs, each with its lowest version.

Below it FSDP2 is not exact on CPU ranks, so two criteria of `fsdp2` are not looked at. That does
for a student's own check; a grader would have no score for anybody.
"""
