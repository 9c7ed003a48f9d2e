"""What questions on data modules of several labs share.

1. `drawn_sets`: draws the images, and the arguments of the class.
2. `kind`: what the images are, and how a drawn one is recognised.
3. `calls`: calls a student's class as Lightning would.
4. `downloads`: drawn images where a data module downloads a data set.
5. `samples` and `uses`: judge what came against the drawn images.
"""
