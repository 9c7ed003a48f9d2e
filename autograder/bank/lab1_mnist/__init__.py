"""Answers to the questions of lab 1, right and wrong."""
