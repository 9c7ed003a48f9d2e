"""What data modules of several labs have in common: probing their loaders, judging what came.

`kind` says what the images are; `probing` calls a student's class as Lightning would;
`samples` and `uses` hold what came against the drawn images.
"""
