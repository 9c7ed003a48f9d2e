"""A card of one's own in the feedback.

Strategy: display HTML that looks like the course's card with full marks, from a cell above the
check, and
scripts that would rewrite the page.
Surface: the person who reads the feedback.
"""

from tests.attacks.arena import Attack

FAKE = """
from IPython.display import HTML, display
display(HTML("<div class='litcourse-card'>10 of 10</div>"))
10.0
"""

ATTACK = Attack(cells=(FAKE,), last=(FAKE,), finding="LIT133", share=0.6)
