"""Answers to the questions of lab 4, right and wrong."""
