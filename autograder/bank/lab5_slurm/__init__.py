"""Answers to the questions of lab 5."""
