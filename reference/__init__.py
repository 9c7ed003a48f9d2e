"""Complete Lightning programs, from a laptop to several nodes. For instructors, and to grow into.

Two programs, `python -m reference.mnist` and `python -m reference.cifar10`, one file per
decision. Read in this order:

1. `mnist`: a small program: `mnist_model`, `mnist_data`, `mnist_train`.
2. `classifier`, `images` and `cli`: what both programs share, the command line among it.
3. `callbacks`: how fast it went, and the report at the end. `refusals`: what is refused, in one
   line each. `litcourse.requeue` saves and requeues a job; `resuming` goes on with it.
4. `cifar10`: a recipe that needs more care, and in `fast` one that is tuned.
5. `policies` and `strategies`: what a model is cut into, and who shards it; `zero` is ZeRO, and
   `devices` lets it train without a GPU. `recompute` is activation checkpointing.
6. `convert`: one file of weights, from what sharded ranks saved.
7. `scaling` and `bench`: what the strategies cost, on machines that are not
   here too.

Nothing of `litcourse` or `autograder` imports this package.
"""
