"""How Slurm's commands read words.

`getopt` finds options, `option_tables` lists them, `values` reads what they are set to.
"""
