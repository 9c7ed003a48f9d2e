"""Every hand-in of a student, each graded once; one of them counts.

Read in this order:

1. `arrivals` reads the exchange's inbound folder: who handed in, when, and what is doubtful.
2. `try_store` keeps each hand-in in `tries/<student>/<lab>/<time>/`, and its evidence beside it.
3. `counting` decides which try counts, and puts it into `submitted/` and `evidence/`.
4. `rounds` grades the tries that are not graded yet.
"""
