"""The same network in PyTorch, the usual way, to be measured beside: every cell convolves its state, zero or not."""

import torch
from torch import nn
from torch.nn import functional


class ConvLSTM(nn.Module):
    def __init__(self, depth, filters, kernel, hidden, stride=1):
        super().__init__()
        self.filters, self.stride = filters, stride
        padding = "same" if stride == 1 else kernel // 2
        self.input = nn.Conv2d(depth, 4 * filters, kernel, stride, padding)
        self.hidden = nn.Conv2d(filters, 4 * filters, hidden, 1, "same", bias=False)

    def forward(self, x, state):
        if state is None:
            batch, _, height, width = x.shape
            zeros = x.new_zeros(batch, self.filters, height // self.stride, width // self.stride)
            state = (zeros, zeros)
        h, c = state
        i, f, o, j = torch.chunk(self.input(x) + self.hidden(h), 4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(j)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class Codec(nn.Module):
    """Toderici et al. 2017, additive, on images (batch, 3, h, w) in [0, 1] whose sides are multiples of 16."""

    def __init__(self, width=1.0):
        super().__init__()

        def n(full):
            return round(full * width)

        self.encoder_conv = nn.Conv2d(3, n(64), 3, 2, 1)
        encoder = ((64, 256, 3, 1), (256, 512, 3, 1), (512, 512, 3, 1))
        decoder = ((512, 512, 2, 1), (128, 512, 3, 1), (128, 256, 3, 3), (64, 128, 3, 3))
        self.encoder = nn.ModuleList(ConvLSTM(n(depth), n(out), k, u, 2) for depth, out, k, u in encoder)
        self.binarizer = nn.Conv2d(n(512), 32, 1)
        self.decoder_conv = nn.Conv2d(32, n(512), 1)
        self.decoder = nn.ModuleList(ConvLSTM(n(depth), n(out), k, u) for depth, out, k, u in decoder)
        self.output_conv = nn.Conv2d(n(32), 3, 1)

    def forward(self, images, iterations):
        residual, reconstruction, states, result = images - 0.5, 0.0, [None] * 7, []
        for _ in range(iterations):
            x = self.encoder_conv(residual)
            for k, cell in enumerate(self.encoder):
                x, states[k] = cell(x, states[k])
            x = torch.tanh(self.binarizer(x))
            bits = torch.where(x >= 2 * torch.rand_like(x) - 1, 1.0, -1.0)
            x = self.decoder_conv(bits + x - x.detach())
            for k, cell in enumerate(self.decoder, 3):
                x, states[k] = cell(x, states[k])
                x = functional.pixel_shuffle(x, 2)
            reconstruction = reconstruction + torch.tanh(self.output_conv(x)) / 2
            residual = images - 0.5 - reconstruction
            result.append(reconstruction + 0.5)
        return torch.stack(result, dim=1)


class Trainer:
    """Adam on the mean absolute residual of all passes, with the call that Keras' models have."""

    def __init__(self, width, iterations, device="cpu", bfloat16=False, compiled=False):
        self.codec, self.iterations, self.device = Codec(width).to(device), iterations, device
        self.optimizer = torch.optim.Adam(self.codec.parameters(), 1e-3)
        self.cast = torch.autocast(device, torch.bfloat16, enabled=bfloat16)
        self.run = torch.compile(self.codec) if compiled else self.codec

    def train_on_batch(self, images, _):
        images = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2)
        with self.cast:
            loss = (images[:, None] - self.run(images, self.iterations)).abs().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()
