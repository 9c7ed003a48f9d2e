"""Lab 4, models that do not fit: FSDP, wrapping policies, FSDP2, ZeRO."""
