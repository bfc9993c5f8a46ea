"""Small random movements of pictures: what can still be told after them is what a picture shows, not how it stands."""

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample


class Jitter(nn.Module):
    """[n c h w] -> [n c h w]: each picture turned, sheared, zoomed and shifted by chance, differentiably.

    With strength s: angle (radians) and shear ~ U(-s, s), zoom ~ 1 + U(-s/2, s/2), shifts ~ U(-s/2, s/2) of half a
    side. The border is carried on beyond the picture. At s = 0 pictures stay as they are. Chance comes from torch's
    generator; drawn in float32 whatever the precision.
    """

    def __init__(self, strength: float):
        super().__init__()
        self.strength = strength
        self.ranges: Tensor  # of angle, shear, zoom, right, down
        ranges = strength * torch.tensor([1, 1, 0.5, 0.5, 0.5])[:, None]
        self.register_buffer("ranges", ranges, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.strength == 0:
            return x
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            angle, shear, zoom, right, down = self.ranges * (2 * torch.rand(len(x), 5, device=x.device).T - 1)
            cosine, sine = (1 + zoom) * angle.cos(), (1 + zoom) * angle.sin()
            rows = [torch.stack([cosine, shear - sine, right], 1), torch.stack([sine, cosine, down], 1)]
            places = affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
            return grid_sample(x, places, padding_mode="border", align_corners=False)

    def extra_repr(self) -> str:
        return f"strength={self.strength}"
