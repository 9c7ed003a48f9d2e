"""Types and functions that questions, probes and judges share; nothing here imports another room.

Read in this order:

1. `tree`: the type of inputs and evidence, plain data.
2. `question`: criterion, marks, inputs, question.
3. `namespace`: the names and files of a notebook, as a probe reads them.
4. `evidence`: checks untrusted evidence as a judge reads it.
5. `comparison`: compares tensors; checks NaN, shape and type first.
6. `known_errors`: maps an exception to a finding.
7. `marks`: combines the marks of a judge's parts.
8. `verdict`: the marks on one answer, and the score that follows from them.
9. `scoring`: computes a verdict from evidence.
10. `serialization`: encodes trees as bytes that hold no code.
11. `registry`: finds labs and questions.
12. `names`: answers an unknown name with the valid ones; a number with its noun.
13. `torch_state`: restores random states and torch's global modes.
14. `environment`: replaces variables, drops those of a job; temporary folders, gone after a kill.
15. `atomic_write`: writes a whole file or none.
16. `exit_codes`: how a command ended.
"""
