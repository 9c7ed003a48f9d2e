"""What question, probe and judge share; nothing here imports another room.

Read in this order:

1. `tree`: the type of inputs and evidence, plain data.
2. `question`: the words: criterion, finding, inputs, question, verdict.
3. `namespace`: what a probe is given of a notebook.
4. `evidence`: how a judge reads evidence that nobody vouches for.
5. `comparison`: comparing tensors; NaN, shape and type come first.
6. `known_errors`: which finding an exception is.
7. `findings`: lists of findings.
8. `scoring`: from evidence to a verdict.
9. `serialization`: trees as bytes that hold no code.
10. `registry`: which labs and questions there are.
11. `names`: unknown names are answered with the valid ones.
12. `torch_state`: random states and torch's modes, kept as they are.
13. `environment`: variables, and those of them that place a process in a job.
14. `atomic_write`: a file that is there as a whole or not at all.
"""
