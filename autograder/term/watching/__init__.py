"""`autograder watch`: the score and the page seconds after a hand-in, all term long.

All that it knows lies where other commands keep it: what was seen is in the exchange, what was
copied in `tries/`, what was graded in the records, what was released in the exchange again. So it
can be killed at any moment; the next one does what is left, and nothing twice.

Read in this order:

1. `try_limits`: the settings, and how often the tries of a student are graded.
2. `inbox`: the hand-ins that are complete and new.
3. `queue`: whose turn it is.
4. `waiting_page`: what a student is told whose hand-in waits; `released_pages`: puts pages into
   the exchange.
5. `watcher`: one round; `watch_command`: the loop, its lock, and what `--status` tells.
"""
