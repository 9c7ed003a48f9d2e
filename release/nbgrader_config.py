"""nbgrader's settings for students: where labs come from, and where they are handed in.

Your instructor tells both values. nbgrader reads this file from the folder in which JupyterLab is
started, and from the folder in which you type its commands. Without nbgrader it does nothing.
"""

c = get_config()  # nbgrader defines it

# The course and its term: each term has an id of its own.
c.CourseDirectory.course_id = "litcourse"

# The folder of the exchange, unless it is nbgrader's own (/usr/local/share/nbgrader/exchange).
# c.Exchange.root = "/srv/nbgrader/exchange"
