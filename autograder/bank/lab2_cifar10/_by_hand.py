"""An answer to `augment` that crops and flips tensors itself."""

BY_HAND = """
class Changed(Dataset):
    def __init__(self, images, labels, change):
        self.images, self.labels, self.change = images, labels, change

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = self.images[index]
        if self.change:
            image = F.pad(image[None], (4, 4, 4, 4), mode="reflect")[0]
            top, left = torch.randint(9, (2,)).tolist()
            image = image[:, top : top + 32, left : left + 32]
            if torch.rand(()) < 0.5:
                image = image.flip(2)
        return image, self.labels[index]


class CIFAR10DataModule(L.LightningDataModule):
    def __init__(self, data_dir=None, batch_size=128, val_size=0.1, seed=42, num_workers=0):
        super().__init__()
        self.save_hyperparameters()

    def prepare_data(self):
        for part in (True, False):
            cifar10(self.hparams.data_dir, part)

    def tensors(self, train):
        data = cifar10(self.hparams.data_dir, train)
        pixels = torch.as_tensor(data.data).permute(0, 3, 1, 2).float() / 255
        mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in (CIFAR10_MEAN, CIFAR10_STD))
        return (pixels - mean) / std, torch.as_tensor(data.targets)

    def setup(self, stage=None):
        images, labels = self.tensors(True)
        count = int(len(labels) * self.hparams.val_size)
        dice = torch.Generator().manual_seed(self.hparams.seed)
        train, val = random_split(range(len(labels)), [len(labels) - count, count], dice)
        train, val = torch.tensor(list(train)), torch.tensor(list(val))
        self.train = Changed(images[train], labels[train], True)
        self.val = Changed(images[val], labels[val], False)
        self.test = Changed(*self.tensors(False), False)

    def loader(self, data, **more):
        return DataLoader(data, self.hparams.batch_size, num_workers=self.hparams.num_workers, **more)

    def train_dataloader(self):
        return self.loader(self.train, shuffle=True, drop_last=True)

    def val_dataloader(self):
        return self.loader(self.val)

    def test_dataloader(self):
        return self.loader(self.test)
"""
