"""For jobs that are longer than their time limit: saves, queues itself again, and goes on.

    from litcourse.requeue import listen

    listen()                    # the first lines of the program: imports take seconds

    import lightning as L
    from litcourse.requeue import Requeue

    trainer = L.Trainer(callbacks=[Requeue()])

1. `slurm_warning`: takes note of the signal; it imports nothing slow.
2. `requeue_callback`: a callback that acts on the note, on all ranks before the same batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litcourse.requeue.slurm_warning import listen

if TYPE_CHECKING:
    from litcourse.requeue.requeue_callback import Requeue, remove, write_then_rename

__all__ = ["Requeue", "listen", "remove", "write_then_rename"]


def __getattr__(name: str) -> Any:
    """Import Lightning when what needs it is asked for, so that `listen` comes before."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from litcourse.requeue import requeue_callback

    return getattr(requeue_callback, name)
