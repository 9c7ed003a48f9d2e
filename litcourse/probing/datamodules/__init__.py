"""Draws, probes and judges for questions on data modules, in several labs.

1. `drawn_sets`: draws images and the arguments of the class.
2. `kind`: describes the images and recognises a drawn one.
3. `calls`: calls a student's class as Lightning does.
4. `downloads`: replaces torchvision's downloads by drawn images.
5. `samples` and `uses`: judge the loaders and the calls against the drawn images.
"""
