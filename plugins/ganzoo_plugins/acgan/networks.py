"""AC-GAN's discriminator; its generator is that of ``conditional``."""

from torch import Tensor, nn

from ganzoo import ImageShape
from ganzoo.training import Output, in_fp32
from ganzoo_plugins.acgan import Options
from ganzoo_plugins.dcgan import networks as dcgan


class Discriminator(nn.Module):
    """DCGAN's discriminator with a linear classifier on its last features, or on an embedding of them.

    The classifier's weights of a class are that class's proxy: what D2D-CE compares embeddings with.
    """

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        self.body = dcgan.Discriminator(shape, options)
        length = options.embedding or self.body.features
        self.embed = nn.Linear(self.body.features, length) if options.embedding else nn.Identity()
        self.classify = nn.Linear(length, shape.classes)
        nn.init.normal_(self.classify.weight, 0.0, 0.02)
        nn.init.zeros_(self.classify.bias)

    def forward(self, images: Tensor, labels: Tensor) -> Output:
        """Images [B, C, H, W] and labels [B] -> logits [B], class logits [B, K], embeddings and proxies [B, E].

        Only the proxies depend on the labels.
        """
        features = self.body.layers(images)
        embedding = in_fp32(self.embed, features.flatten(1))
        return Output(
            in_fp32(self.body.head, features).flatten(),
            class_logits=in_fp32(self.classify, embedding),
            extras={"embedding": embedding, "proxy": self.classify.weight[labels]},
        )
