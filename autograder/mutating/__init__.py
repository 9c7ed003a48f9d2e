"""`autograder mutate`: changes right answers a little, and lists the changes that no judge notices.

1. `answer_text`: an answer as text and syntax tree; `Change`, one replacement in it.
2. `python_operators`: changes of any Python: numbers, statements, arguments, comparisons, names.
3. `lightning_operators`: changes of a module, data module or step; `library_calls` those of calls
   such as `Trainer` and `DataLoader`; `program_operators` what stands at the top of a file.
4. `batch_script_operators`: changes of lines of a job script.
5. `mutants`: applies them to the right answers of a bank, and merges those that say the same.
6. `equivalents`: `equivalent.toml`, where a person says which survivors are right, and why.
7. `mutate`: judges each mutant, warm and `sandboxed`; `kept_mutants` keeps what is done.
8. `mutation_report`: counts them, prints the survivors, writes `bench/results/`.
"""
