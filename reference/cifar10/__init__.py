"""Small photographs: a ResNet, and in `fast` a small network that is tuned for time."""
