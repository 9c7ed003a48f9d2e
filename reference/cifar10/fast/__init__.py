"""CIFAR10 in as few steps as we know how: a small network, after Keller Jordan's cifar10-airbench.

Source of the recipe, of its constants and of the network: K. Jordan 2024, "94% on CIFAR-10 in
3.29 Seconds on a Single GPU" (airbench94), which owes much to earlier ones by D. Page and by
tysam-code. Written anew here as a LightningModule, for a CPU as well, in bfloat16 where the
original is in float16, and with 16 epochs where that has 9.9.

    python -m reference.cifar10.fast fit

1. `fast_model` and `network`: the module and its network; `lookahead` averages its weights.
2. `fast_data`: its data. 3. `fast_train`: the program.
"""
