"""The type of inputs and evidence: plain data, which a process can read without running code."""

from typing import Any

Tree = Any
"""None, bool, int, float, str, torch.Tensor, or a list or str-keyed dict of such."""
