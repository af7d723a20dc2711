"""3DPQT, the 3D Positional Query Transformer (the paper's eq. 4, figure 2).

Cross-attention: codes of slice positions are the queries, X-ray features the keys and values.
"""

from typing import cast

import torch
from torch import nn, Tensor
from torch.nn.functional import scaled_dot_product_attention

from dx2ct.methods.dx2ct.settings import TransformerSettings

START_GAIN = 1.5  # how sharply a query prefers tokens with its own code at the start; 1 = as the plain dot product


class CrossAttention(nn.Module):
    """Multi-head attention from query tokens (n, q, width) to X-ray tokens (n, k, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    @torch.no_grad()
    def start_as_match(self) -> None:
        """Let keys be made as queries are, so that at the start a query looks where the token's code is most its own.

        With both position networks starting alike (see Conditions) this means: at X-ray pixels near the ray through
        the query's position. From an independent start the first hundreds of steps go into finding that out. Our
        choice; the paper says nothing of how it starts.
        """
        width = self.query.in_features
        nn.init.orthogonal_(self.query.weight, START_GAIN)
        self.key_value.weight[:width] = self.query.weight
        nn.init.zeros_(self.query.bias)
        self.key_value.bias[:width] = 0

    def keys_values(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of X-ray tokens, (n, heads, k, width / heads) each."""
        key, value = self.key_value(tokens).chunk(2, dim=-1)
        return self._heads(key), self._heads(value)

    def forward(self, queries: Tensor, keys_values: tuple[Tensor, Tensor]) -> Tensor:
        """The attended values, (n, q, width), of the X-rays' keys and values."""
        q, (k, v) = self._heads(self.query(queries)), keys_values
        attended: Tensor = self.out(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return attended

    def _heads(self, tokens: Tensor) -> Tensor:
        return tokens.view(*tokens.shape[:-1], self.heads, -1).transpose(1, 2)


class Block(nn.Module):
    """Pre-norm cross-attention and MLP, both residual. No self-attention: the paper has none."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        width, inner = settings.width, int(settings.width * settings.mlp_ratio)
        self.norm_queries, self.norm_tokens = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = CrossAttention(width, settings.heads)
        if settings.start == "match":
            self.attention.start_as_match()
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))

    def keys_values(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of X-ray tokens (n, k, width): they depend on no query."""
        return self.attention.keys_values(self.norm_tokens(tokens))

    def forward(self, queries: Tensor, keys_values: tuple[Tensor, Tensor]) -> Tensor:
        """(n, q, width) to the same; keys_values from `keys_values` of the tokens."""
        queries = queries + self.attention(self.norm_queries(queries), keys_values)
        updated: Tensor = queries + self.mlp(queries)
        return updated


class QueryTransformer(nn.Module):
    """One scale's 3DPQT."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(settings) for _ in range(settings.blocks)])
        self.norm = nn.LayerNorm(settings.width)

    def keys_values(self, xray_tokens: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Every block's keys and values of X-ray tokens (patient, views h w, width): once for all slices."""
        return [cast(Block, block).keys_values(xray_tokens) for block in self.blocks]

    def forward(self, ct_codes: Tensor, keys_values: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Slice codes (patient, slice, h, w, width) and keys_values to feature maps (patient slice, width, h, w).

        A query never sees another query, so all slices of a patient share one call and one set of keys.
        """
        queries = ct_codes.flatten(1, 3)
        for block, of_block in zip(self.blocks, keys_values, strict=True):
            queries = block(queries, of_block)
        maps: Tensor = self.norm(queries).view_as(ct_codes).flatten(0, 1).movedim(-1, 1)
        return maps
