"""Tiles hold every visible pair once, and say exactly which of theirs are hidden."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from impls.interface import Mask
from impls.interface import tiles as module
from impls.interface.tiles import CACHES, CORE_CACHE_BYTES, fitting_sizes, parts_of, tiles

CPU = torch.device("cpu")
MASKS = [
    "full",
    "causal",
    "window:5",
    "window:9:4",
    "window:*:3",
    "window:30:*",
    "padding:0-9/5-40/0-0",
    "causal+padding:3-40/0-40/7-8",
    "documents:1/20/19",
    "window:6+documents:10x4",
    "causal+rows:3/9+20/21+17/10",
]


@pytest.mark.parametrize("lengths", [(40, 40), (7, 40), (40, 7), (1, 40)], ids=str)
@pytest.mark.parametrize("sizes", [(8, 16), (64, 64), (5, 48)], ids=str)
@pytest.mark.parametrize("text", MASKS)
def test_the_tiles_are_the_visible_pairs(
    text: str, sizes: tuple[int, int], lengths: tuple[int, int]
) -> None:
    mask = Mask.parse(text)
    lengths = mask.packed_lengths or lengths
    batch = len(mask.padding) if isinstance(mask.padding, tuple) else 1
    wanted = mask.dense(batch, *lengths, CPU).expand(batch, 1, *lengths)
    found = torch.zeros(batch, 1, *lengths, dtype=torch.int)
    for tile in tiles(mask, lengths, sizes, CPU):
        assert len(tile.queries) <= sizes[0]
        assert len(tile.keys) <= sizes[1]
        scores = torch.zeros(batch, 1, len(tile.queries), 1, len(tile.keys))
        if tile.limit is not None:
            partly = scores[..., tile.partly_columns]
            torch.minimum(partly, tile.limit, out=partly)
        seen = (scores[:, :, :, 0] == 0).int()
        found[:, :, tile.rows(1), tile.columns] += seen
    assert torch.equal(found, wanted.int())


def test_only_the_first_tile_of_its_queries_is_first() -> None:
    made = list(tiles(Mask(right=0), (64, 64), (16, 16), CPU))
    assert [tile.first for tile in made] == [tile.keys.start == 0 for tile in made]
    assert len(made) == 1 + 2 + 3 + 4


def test_tiles_of_a_band_share_their_limits() -> None:
    made = list(tiles(Mask(right=0), (64, 64), (16, 64), CPU))
    assert len({id(tile.limit) for tile in made}) == 1
    assert made[0].limit is not None
    assert made[0].limit.shape == (16, 1, 15)


def test_batch_rows_with_padding_of_their_own_have_tiles_of_their_own() -> None:
    q, k = torch.zeros(2, 4, 1, 8, 8), torch.zeros(2, 4, 8, 8)
    mask = Mask(padding=((0, 8), (0, 3)))
    made = list(parts_of(mask, q, k, (1, 3, 8, 8)))
    assert [(batch.start, heads.start, heads.stop) for batch, heads, _ in made] == [
        (0, 0, 3),
        (0, 3, 4),
        (1, 0, 3),
        (1, 3, 4),
    ]
    assert [len(of[0].keys) for *_, of in made] == [8, 8, 3, 3]


@pytest.mark.parametrize("mask", ["full", "causal", "window:256"])
@pytest.mark.parametrize("group", [1, 4, 100])
@pytest.mark.parametrize("length", [1, 128, 8192])
def test_tiles_fit_the_cache_and_the_problem(mask: str, group: int, length: int) -> None:
    q, k = torch.empty(3, 8, group, length, 64), torch.empty(3, 8, 8192, 64)
    batch, heads, queries, keys = fitting_sizes(q, k, Mask.parse(mask), (None, None))
    threads = torch.get_num_threads()
    assert 1 <= batch <= 3
    assert min(8, threads) <= heads <= 8
    assert queries <= length
    assert keys <= 8192
    room = CACHES * 64 * CORE_CACHE_BYTES  # of the largest cache that this may run with
    assert batch * heads * group * queries * keys * 4 <= threads * room


def test_chosen_blocks_are_kept() -> None:
    q, k = torch.empty(1, 2, 1, 500, 8), torch.empty(1, 2, 400, 8)
    assert fitting_sizes(q, k, Mask(), (64, 128))[2:] == (64, 128)
    assert fitting_sizes(q, k, Mask(), (1024, 1024))[2:] == (500, 400)


@pytest.mark.parametrize(
    ("text", "kibibytes"), [("512K\n", 512), ("2048K\n", 2048), ("", 1024), (None, 1024)]
)
def test_the_cache_of_a_core_is_what_linux_reports_or_a_mebibyte(
    text: str | None, kibibytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = tmp_path / "size"
    if text is not None:
        size.write_text(text)
    monkeypatch.setattr(module, "CACHE_SIZE", size)
    module.core_cache_bytes.cache_clear()
    assert module.core_cache_bytes(CPU) == kibibytes << 10
    module.core_cache_bytes.cache_clear()


def test_tiles_are_made_for_a_mebibyte_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k = torch.empty(1, 64, 1, 8192, 64), torch.empty(1, 64, 8192, 64)
    made = {}
    for kibibytes in (256, 1024, 4096):
        monkeypatch.setattr(module, "core_cache_bytes", lambda _, size=kibibytes: size << 10)
        made[kibibytes] = fitting_sizes(q, k, Mask(), (None, None))
    assert made[256] == made[1024]
    assert made[4096][3] == 4 * made[1024][3]
