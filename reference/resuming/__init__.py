"""A run that is cut, and goes on as if it had not been: `litcourse.requeue` decides when it saves.

1. `epoch_order`: which samples each batch holds, and what their transforms draw.
2. `whole_checkpoints`: the newest checkpoint that nobody cut off while it was written.
3. `trainer`: a Trainer whose checkpoints are whole at any moment.
"""
