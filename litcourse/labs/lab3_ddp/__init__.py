"""Lab 3, Several GPUs: DDP."""
