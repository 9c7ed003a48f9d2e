"""Complete Lightning programs, from a laptop to several nodes. For instructors, and to grow into.

Two programs, `python -m reference.mnist` and `python -m reference.cifar10`, one file per
decision. Read in this order:

1. `mnist/model.py`, `mnist/data.py`, `mnist/train.py`: the whole of a small program, on top of
   `classifier` (what both models share), `split` and `cli` (the command line of both).
2. `callbacks`: how fast it went, and the report at the end.
3. `cifar10/`: a recipe that needs more care, and `cifar10/fast/`, one that is tuned.
4. `policies` and `strategies`: what a model is cut into, and who shards it; `on_cpu` lets FSDP
   and ZeRO train without a GPU.
5. `scaling` and `bench`: what the strategies cost, on machines that are not here.

Nothing of `litcourse` or `autograder` imports this package.
"""
