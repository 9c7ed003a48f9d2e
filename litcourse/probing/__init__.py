"""For whoever writes a probe."""
