"""Sphinx's settings of the course's site; `make site` builds `site/content/` with them."""

project = "PyTorch Lightning, an autograded course"
author = "The course's authors"
copyright = "CC BY 4.0 (text), BSD-3-Clause (code)"  # noqa: A001 (Sphinx's name)

# sphinx_lesson as a whole also rewrites the text of pages: `<img` in a card became a directive.
extensions = ["myst_nb", "sphinx_copybutton", "sphinx_togglebutton", "sphinx_lesson.directives"]
nb_execution_mode = "off"  # outputs are kept, and stand in the pages
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # a box may stand between a heading and one two levels below

highlight_language = "text"  # of blocks that name none

html_theme = "furo"
html_title = "PyTorch Lightning"
html_static_path = ["static"]
html_css_files = ["course.css"]
html_js_files = ["course.js"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}
copybutton_exclude = ".linenos, .gp, .go"
togglebutton_hint = "Open"
togglebutton_hint_hide = "Close"

# External pages are looked at by `make site-links`, never by a test: they are not ours.
linkcheck_timeout = 20
linkcheck_anchors = False
