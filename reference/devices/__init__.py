"""Where weights are, when it is no GPU.

1. `on_meta`: nowhere yet: which networks FSDP2 can shard before it fills them.
2. `on_cpu`: ZeRO trains over gloo, to be watched and tested.
"""
