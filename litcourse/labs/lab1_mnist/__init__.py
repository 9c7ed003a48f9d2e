"""Lab 1, From torch to Lightning."""
