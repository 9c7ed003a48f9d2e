"""What questions on data modules of several labs share.

1. `kind`: what the images are, and how a drawn one is recognised.
2. `calls`: calls a student's class as Lightning would.
3. `downloads`: drawn images where a data module downloads a data set.
4. `samples` and `uses`: judge what came against the drawn images.
"""
