"""Answers to the questions of lab 3, right and wrong."""
