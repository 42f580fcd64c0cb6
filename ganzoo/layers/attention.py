"""Self-attention over the places of a map."""

import torch
from torch import Tensor, nn

from ganzoo.layers.spectral import spectral_norm


class SelfAttention(nn.Module):
    """y = x + gamma o(x), where each place of o looks at all places of x (SAGAN: Zhang et al., 2019, eq. 1 to 3).

    With 1x1 convolutions f, g and h to an eighth of the channels, and v back to all of them,

        o_j = v(sum_i beta_ji h(x_i)),    beta_ji = exp(s_ij) / sum_i exp(s_ij),    s_ij = f(x_i)^T g(x_j).

    gamma is learned and starts at 0, so that the layer starts as the identity. The map of attention has (H W)^2
    entries a sample.

    Args:
        channels: of the map; fewer than 8 are attended through one.
        spectral: whether the four convolutions are spectrally normalised, as the paper's are.
    """

    def __init__(self, channels: int, *, spectral: bool = False) -> None:
        super().__init__()
        inner = max(1, channels // 8)
        self.key, self.query, self.value = (nn.Conv2d(channels, inner, 1, bias=False) for _ in range(3))
        self.output = nn.Conv2d(inner, channels, 1, bias=False)
        for layer in (self.key, self.query, self.value, self.output):
            nn.init.xavier_uniform_(layer.weight)
            if spectral:
                spectral_norm(layer)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C, H, W]."""
        f, g, h = (layer(x).flatten(2) for layer in (self.key, self.query, self.value))  # [B, C/8, H W]
        # Products and a softmax: torch's fused attention cannot be differentiated twice, as penalties do.
        beta = (g.transpose(1, 2) @ f).softmax(2)  # [B, j, i]
        o = (h @ beta.transpose(1, 2).to(h.dtype)).unflatten(2, x.shape[2:])
        attended: Tensor = self.output(o)
        return x + self.gamma.to(attended.dtype) * attended
