"""One package per lab, one module per question: `litcourse/labs/<lab>/<question>.py`."""
