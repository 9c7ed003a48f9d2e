"""What question, probe and judge share; nothing here imports another room.

Read in this order:

1. `tree`: the type of inputs and evidence, plain data.
2. `question`: the words: criterion, finding, inputs, question, verdict.
3. `namespace`: what a probe is given of a notebook.
4. `evidence`: how a judge reads evidence that nobody vouches for.
5. `comparison`: comparing tensors; NaN, shape and type come first.
6. `known_errors`: which finding an exception is.
7. `scoring`: from evidence to a verdict.
8. `serialization`: trees as bytes that hold no code.
9. `registry`: which labs and questions there are.
10. `names`: unknown names are answered with the valid ones.
11. `torch_state`: random states and torch's modes, kept as they are.
12. `environment`: variables that place a process in a job.
13. `atomic_write`: a file that is there as a whole or not at all.
"""
