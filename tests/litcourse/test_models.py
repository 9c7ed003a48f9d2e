"""The given networks: shapes, signatures, and what the labs rely on."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torch.nn import functional

from litcourse import models

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGES = torch.rand(4, 3, 32, 32)
TOKENS = torch.arange(21).reshape(3, 7)


def small_transformer(tie: bool = False) -> models.TransformerClassifier:
    return models.TransformerClassifier(vocab=21, dim=8, heads=2, depth=2, classes=5, tie=tie)


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("make", "signature"),
    [
        (models.MLP, "(in_features=784, hidden=(128,), classes=10, dropout=0.0)"),
        (models.SmallCNN, "(classes=10, width=32)"),
        (models.ResNet, "(blocks=(2, 2, 2, 2), width=64, classes=10)"),
        (models.TransformerClassifier, "(vocab, dim, heads, depth, classes, tie=False)"),
    ],
)
def test_signatures_are_those_the_labs_promise(make: type[nn.Module], signature: str) -> None:
    found = inspect.signature(make)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in found.parameters.values()]
    assert str(inspect.Signature(bare)) == signature


@pytest.mark.parametrize(
    ("model", "batch", "shape"),
    [
        (models.MLP(), torch.rand(4, 1, 28, 28), (4, 10)),
        (models.MLP(12, (7, 5), 3, 0.5), torch.rand(2, 3, 4), (2, 3)),
        (models.MLP(12, ()), torch.rand(1, 12), (1, 10)),
        (models.SmallCNN(), IMAGES, (4, 10)),
        (models.SmallCNN(classes=3, width=4), IMAGES, (4, 3)),
        (models.ResNet((1, 1), width=4, classes=6), IMAGES, (4, 6)),
        (models.ResNet((1, 2, 1), width=4), torch.rand(2, 3, 17, 23), (2, 10)),
        (small_transformer(), TOKENS, (3, 5)),
        (small_transformer(tie=True), TOKENS, (3, 5)),
        (models.TransformerClassifier(21, 9, 3, 0, 4), TOKENS, (3, 4)),
    ],
)
def test_every_model_returns_logits_and_reaches_every_parameter(
    model: nn.Module, batch: torch.Tensor, shape: tuple[int, int]
) -> None:
    logits = model(batch)
    functional.cross_entropy(logits, torch.zeros(shape[0], dtype=torch.int64)).backward()
    assert logits.shape == shape
    assert logits.dtype == torch.float32
    assert all(p.grad is not None for p in model.parameters())


def test_logits_are_no_probabilities() -> None:
    logits = models.MLP()(torch.rand(8, 784))
    assert (logits < 0).any()


def test_the_mlp_has_a_layer_for_each_hidden_width() -> None:
    linear = [m for m in models.MLP(6, (5, 4), 3).modules() if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linear] == [(6, 5), (5, 4), (4, 3)]


def test_dropout_acts_in_training_alone() -> None:
    model, x = models.MLP(12, (64,), dropout=0.5), torch.rand(3, 12)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_the_convolutional_networks_use_batch_norm() -> None:
    for model in (models.SmallCNN(width=4), models.ResNet((1,), width=4)):
        assert any(isinstance(m, nn.BatchNorm2d) for m in model.modules())


def test_the_default_resnet_is_resnet18_for_small_images() -> None:
    model = models.ResNet()
    blocks = [m for m in model.modules() if isinstance(m, models.BasicBlock)]
    assert len(blocks) == 8
    assert parameters(model) == 11_173_962


def test_the_resnet_does_not_pool_early() -> None:
    model = models.ResNet((1, 1, 1), width=4)
    assert model.stem(IMAGES).shape == (4, 4, 32, 32)
    assert model.blocks(model.stem(IMAGES)).shape == (4, 16, 8, 8)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_basic_block_adds_its_input(stride: int) -> None:
    block = models.BasicBlock(4, 4, stride)
    nn.init.zeros_(block.norm2.weight)
    x = torch.rand(2, 4, 8, 8)
    assert torch.equal(block(x), functional.relu(block.shortcut(x)))
    assert isinstance(block.shortcut, nn.Identity) == (stride == 1)


def test_attention_equals_torchs_own() -> None:
    block = models.Block(dim=8, heads=2)
    reference = nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        reference.in_proj_weight.copy_(block.qkv.weight)
        reference.in_proj_bias.copy_(block.qkv.bias)
        reference.out_proj.weight.copy_(block.out.weight)
        reference.out_proj.bias.copy_(block.out.bias)
    x = torch.rand(3, 5, 8)
    expected, _ = reference(x, x, x)
    torch.testing.assert_close(block.attention(x), expected)


def test_the_order_of_tokens_matters() -> None:
    model = small_transformer()
    assert not torch.allclose(model(TOKENS), model(TOKENS.flip(1)))


def test_a_tied_model_owns_its_embedding_once_and_uses_it_twice() -> None:
    model = small_transformer(tie=True)
    copies = [k for k, v in model.state_dict().items() if v.shape == model.embedding.weight.shape]
    assert copies == ["embedding.weight"]
    sentence = TOKENS[2:]  # without token 4
    before = model(sentence)
    with torch.no_grad():
        model.embedding.weight[4] *= 3
    changed = ~torch.isclose(model(sentence), before)
    assert changed.tolist() == [[False, False, False, False, True]]


def test_every_depth_has_its_blocks_and_one_head() -> None:
    model = models.TransformerClassifier(21, 8, 2, 3, 5)
    kinds = [type(m) for m in model.modules()]
    assert kinds.count(models.Block) == 3
    assert kinds.count(models.Head) == 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: models.Block(dim=8, heads=3), "heads=3 must divide dim=8"),
        (lambda: models.TransformerClassifier(4, 8, 2, 1, 5, tie=True), "classes=5 must not"),
    ],
)
def test_sizes_that_do_not_fit_are_named(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_models_can_be_built_without_memory_and_in_half_precision() -> None:
    with torch.device("meta"):
        assert models.ResNet()(torch.empty(2, 3, 32, 32)).shape == (2, 10)
        assert small_transformer()(torch.empty(2, 9, dtype=torch.int64)).shape == (2, 5)
    assert small_transformer().bfloat16()(TOKENS).dtype == torch.bfloat16
