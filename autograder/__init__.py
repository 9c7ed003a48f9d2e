"""Build, verify and grade the course: for instructors, never shipped to students."""
