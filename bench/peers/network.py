"""The S2-Transformer (arXiv 2209.12075, parallel branches with concatenation) in PyTorch, written from its formulas.

Parameters have this library's names and shapes, so `load_state_dict` takes a weights file as it is. Images are
[B, H, W, C] throughout: linear layers read them as they lie, and a convolution sees the channels-last format, which
oneDNN takes without a copy.
"""
import json
import math

import numpy
import torch
import torch.nn.functional as F
from torch import nn

# PyTorch's own attention, where it is the faster way; a network to be exported states its products.
fused_attention = True


def read_weights(path):
    """Configuration and parameters of a weights file, in the file's order."""
    data = numpy.fromfile(path, numpy.uint8)
    size = int(data[:8].view(numpy.uint64)[0])
    header = json.loads(data[8 : 8 + size].tobytes())
    config = json.loads(header.pop("__metadata__")["config"])
    header.pop("selftest.output", None)
    parameters = {}
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        parameters[name] = torch.from_numpy(data[begin:end].view(numpy.float32).reshape(entry["shape"]).copy())
    return config, parameters


class conv3x3(nn.Conv2d):
    def __init__(self, inside, outside, **options):
        super().__init__(inside, outside, 3, padding=1, **options)

    def forward(self, x):
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def to_windows(x, side, shift):
    """[B, H, W, C] -> [B * windows, side * side, C], rolled by -shift before."""
    b, h, w, c = x.shape
    if shift:
        x = torch.roll(x, (-shift, -shift), (1, 2))
    x = x.reshape(b, h // side, side, w // side, side, c).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(-1, side * side, c)


def from_windows(x, side, shift, b, h, w):
    x = x.reshape(b, h // side, w // side, side, side, x.shape[-1]).permute(0, 1, 3, 2, 4, 5)
    x = x.reshape(b, h, w, x.shape[-1])
    return torch.roll(x, (shift, shift), (1, 2)) if shift else x


class tables:
    """What depends on the image's size only, made once for each: the shifted windows' -100 [windows, 1, N, N]."""

    shifts = {}

    @classmethod
    def shift(cls, h, w, side, shift, like):
        h, w = int(h), int(w)  # a trace hands over tensors
        key = (h, w, side, shift, like.dtype)
        if key not in cls.shifts:
            rows, columns = (torch.bucketize(torch.arange(n), torch.tensor([n - side, n - shift]), right=True) for n in (h, w))
            region = to_windows((3 * rows[:, None] + columns)[None, :, :, None], side, 0)[..., 0]
            other = region[:, :, None] != region[:, None, :]
            cls.shifts[key] = other.to(like.dtype)[:, None] * -100
        return cls.shifts[key]


class spatial_attention(nn.Module):
    def __init__(self, c, heads, side, effect):
        super().__init__()
        self.heads, self.side, self.effect = heads, side, effect
        self.scale = (c // heads) ** -0.5
        self.qkv, self.proj = nn.Linear(c, 3 * c), nn.Linear(c, c)
        self.position_bias = nn.Parameter(torch.zeros((2 * side - 1) ** 2, heads))
        at = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")).flatten(1)
        away = at[:, :, None] - at[:, None, :] + side - 1
        self.register_buffer("index", away[0] * (2 * side - 1) + away[1], persistent=False)

    def split(self, x):
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def bias(self):
        return self.position_bias[self.index].permute(2, 0, 1)

    def table(self, x, shift):
        return tables.shift(*x.shape[1:3], self.side, shift, x) if shift else None

    def plain(self, q, k, v, table, images):
        logits = (q if self.scale == 1 else q * self.scale) @ k.transpose(-2, -1) + self.bias()
        if table is not None:
            n = logits.shape[-1]
            logits = (logits.view(images, -1, self.heads, n, n) + table).view(-1, self.heads, n, n)
        return logits.softmax(-1) @ v

    def fused(self, q, k, v, table, images):
        bias = self.bias()[None] if table is None else (self.bias() + table).repeat(images, 1, 1, 1)
        return F.scaled_dot_product_attention(q, k, v, bias.expand(q.shape[0], -1, -1, -1), scale=self.scale)

    def forward(self, x, e, shift):
        """x [B, H, W, C]; e the embedding's windows, split into heads, or None."""
        b, h, w, c = x.shape
        q, k, v = (self.split(part) for part in self.qkv(to_windows(x, self.side, shift)).chunk(3, -1))
        if e is not None:
            q, k, v = (t * e if name in self.effect else t for name, t in zip("qkv", (q, k, v)))
        y = (self.fused if fused_attention else self.plain)(q, k, v, self.table(x, shift), b)
        return from_windows(self.proj(y.transpose(1, 2).reshape(-1, self.side**2, c)), self.side, shift, b, h, w)


class spectral_attention(nn.Module):
    def __init__(self, c, width, side, scope, effect):
        super().__init__()
        self.heads, self.side, self.scope, self.effect = c // width, side, scope, effect
        self.to_q, self.to_k, self.to_v = (nn.Linear(c, c, bias=False) for _ in range(3))
        self.rescale = nn.Parameter(torch.ones(self.heads))
        self.proj = nn.Linear(c, c)
        self.position = nn.Sequential(
            conv3x3(c, c, groups=c, bias=False), nn.GELU(), conv3x3(c, c, groups=c, bias=False)
        )

    def split(self, x):
        """[B, n, C] -> [B, heads, D, n]"""
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1).permute(0, 2, 3, 1)

    def forward(self, x, e, shift):
        """x [B, H, W, C]; e like the tokens [.., n, C], or None."""
        b, h, w, c = x.shape
        windowed = self.scope == "window"
        tokens = to_windows(x, self.side, shift) if windowed else x.reshape(b, h * w, c)
        q, k, v = self.to_q(tokens), self.to_k(tokens), self.to_v(tokens)
        image = v.reshape(-1, *((self.side, self.side) if windowed else (h, w)), c)
        place = self.position(image).reshape(tokens.shape)
        if e is not None:
            q, k, v = (t * e if name in self.effect else t for name, t in zip("qkv", (q, k, v)))
        q, k = (F.normalize(self.split(t), dim=-1, eps=1e-12) for t in (q, k))
        weights = (k @ q.transpose(-2, -1) * self.rescale[:, None, None]).softmax(-1)
        y = (weights @ self.split(v)).permute(0, 3, 1, 2).reshape(tokens.shape)
        y = self.proj(y) + place
        return from_windows(y, self.side, shift, b, h, w) if windowed else y.reshape(b, h, w, c)


class embedding(nn.Module):
    def __init__(self, c, kind):
        super().__init__()
        self.kind = kind
        self.conv1, self.conv3 = nn.Linear(1, c), conv3x3(c, c)

    def forward(self, mask):
        z = self.conv3(self.conv1(mask[..., None]))
        return z.softmax(2) if self.kind == "released" else 2 * torch.sigmoid(z)


class feed_forward(nn.Module):
    def __init__(self, c, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(c, hidden), nn.Linear(hidden, c)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class block(nn.Module):
    def __init__(self, config, heads, shift):
        super().__init__()
        c, side, self.shift = config["channels"], config["window"], shift
        effects = [config["spatial_effect"], config["spectral_effect"]]
        spatial, spectral = (effect.replace("none", "") for effect in effects)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(c) for _ in range(3))
        self.spatial = spatial_attention(c, heads, side, spatial)
        self.spectral = spectral_attention(c, config["spectral_head_width"], side, config["scope"], spectral)
        self.reduce = nn.Linear(2 * c, c, bias=False)
        self.ffn = feed_forward(c, config["hidden"])
        self.spatial_embedding = embedding(c, config["embedding"]) if spatial else None
        self.spectral_embedding = embedding(c, config["embedding"]) if spectral else None
        self.register_buffer("folded", None)  # persistent: an export then writes it once, not once a use

    def embeddings(self, mask):
        """As the two attentions want them."""
        a = b = None
        if self.spatial_embedding is not None:
            a = self.spatial.split(to_windows(self.spatial_embedding(mask), self.spatial.side, self.shift))
        if self.spectral_embedding is not None:
            e = self.spectral_embedding(mask)
            windowed = self.spectral.scope == "window"
            b = to_windows(e, self.spatial.side, self.shift) if windowed else e.flatten(1, 2)
        return a, b

    def fold(self, mask):
        """From now on the mask is a constant, and so is q's factor."""
        self.folded, unused = self.embeddings(mask)
        assert unused is None, "only the spatial branch's embedding folds"
        self.folded = self.folded.contiguous()
        rows = self.spatial.proj.out_features
        for parameter in (self.spatial.qkv.weight, self.spatial.qkv.bias):
            parameter.data[:rows] *= self.spatial.scale
        self.spatial.scale = 1

    def forward(self, x, mask):
        a, b = self.embeddings(mask) if self.folded is None else (self.folded, None)
        if a is not None and a.shape[0] < x.shape[0] * x.shape[1] * x.shape[2] // self.spatial.side**2:
            a = a.repeat(x.shape[0], 1, 1, 1)  # one mask for a whole batch
        spatial = self.spatial(self.norm1(x), a, self.shift)
        spectral = self.spectral(self.norm2(x), b, self.shift)
        x = x + self.reduce(torch.cat((spatial, spectral), -1))
        return x + self.ffn(self.norm3(x))


class stage(nn.Module):
    def __init__(self, config, depth, heads):
        super().__init__()
        shift = config["window"] // 2 if config["shifted"] else 0
        self.blocks = nn.ModuleList(block(config, heads, shift * (j % 2)) for j in range(depth))
        self.conv = conv3x3(config["channels"], config["channels"])

    def forward(self, x, mask):
        y = x
        for b in self.blocks:
            y = b(y, mask)
        return self.conv(y) + x


class network(nn.Module):
    """forward(x [B, H, W, bands], mask [B or 1, H', W'] at the padded size) -> cube, or (cube, pins [B, H', W', bands])."""

    def __init__(self, config):
        super().__init__()
        assert config["layout"] == "parallel_concat"
        c, bands, self.multiple = config["channels"], config["bands"], config["pad_multiple"]
        self.conv_first, self.input_norm = conv3x3(bands, c), nn.LayerNorm(c)
        self.stages = nn.ModuleList(stage(config, d, n) for d, n in zip(config["depths"], config["heads"]))
        self.pin, self.norm = nn.Linear(c, bands, bias=False), nn.LayerNorm(c)
        self.conv_after_body, self.conv_last = conv3x3(c, c), conv3x3(c, bands)

    def fold(self, mask):
        with torch.no_grad():
            for s in self.stages:
                for b in s.blocks:
                    b.fold(mask)
                    b.spatial_embedding = None
        return self

    def forward(self, x, mask=None, pins=False):
        h, w = x.shape[1:3]
        below, right = (math.ceil(n / self.multiple) * self.multiple - n for n in (h, w))
        if below or right:
            x = F.pad(x.permute(0, 3, 1, 2), (0, right, 0, below), mode="reflect").permute(0, 2, 3, 1)
        first = self.conv_first(x)
        t = self.input_norm(first)
        predictions = []
        for s in self.stages:
            t = s(t, mask)
            if pins:
                predictions.append(self.pin(t))
        y = self.conv_last(self.conv_after_body(self.norm(t)) + first) + x
        y = y[:, :h, :w]
        return (y, predictions) if pins else y


def load(path):
    """The network of a weights file, and its parameters' names in the file's order."""
    config, parameters = read_weights(path)
    model = network(config)
    model.load_state_dict(parameters)
    return model, list(parameters)


def mask_aware_loss(estimate, pin, truth, weight=1.0, epsilon=0.05):
    """Stage MA: mean |F^ - F| (1 + lambda w), w = eps / (|P| + eps) a constant for the gradient."""
    w = epsilon / (pin.detach().abs() + epsilon)
    return ((estimate - truth).abs() * (1 + weight * w)).mean()


def mask_encoding_loss(estimate, pins, truth, mask):
    """Stage ME: mean over the pins of mean |P - m F|, plus mean |F^ - F|."""
    coded = mask[..., None] * truth
    return sum((p - coded).abs().mean() for p in pins) / len(pins) + (estimate - truth).abs().mean()
