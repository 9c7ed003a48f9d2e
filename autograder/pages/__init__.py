"""`autograder pages`: the lessons as pages of MyST, from which Sphinx makes a web site.

Read in this order:

1. `website`: writes all pages, after a search for answers.
2. `lesson_page`: a lab's notebook as a page.
3. `kept_outputs`, `sample_cards`: what demonstrations print and what checks say, kept in `kept/`.
4. `remake`: makes these anew (`make site-outputs`).
5. `templated`: the pages around the lessons, `templates/`; `facts` is what they say of the labs.
6. `findings_page`: every finding, with its anchor.
7. `myst_text`: pieces of MyST.

`sphinx/` holds Sphinx's settings and the site's style.
"""
