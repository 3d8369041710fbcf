"""The allocator of a GPU, followed without one: what PyTorch documents of it, on programs worked out by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from modelwright.methods.planning.allocator import Allocator, replay
from modelwright.methods.planning.log import Log, Operation

MIB = 1 << 20


def program(*events: tuple[Any, ...]) -> Log:
    """Return a log whose operations take no part: only what is asked for and given back counts."""
    return Log([Operation("made", "elementwise", 0, 0, 0)], list(events))


def ask(storage: int, size: int) -> tuple[Any, ...]:
    return ("call", 0, ((storage, 0, size),))


def test_sizes_are_rounded_and_segments_are_of_the_documented_sizes() -> None:
    assert replay(program(ask(0, 1))).allocated == 512
    for expandable in (True, False):
        # Small blocks share 2 MiB, larger ones 20 MiB; without expandable segments a huge one has its own.
        assert replay(program(ask(0, 1), ask(1, MIB)), (), expandable).reserved == 2 * MIB
        assert replay(program(ask(0, 3 * MIB), ask(1, 3 * MIB)), (), expandable).reserved == 20 * MIB
    assert replay(program(ask(0, 31 * MIB)), (), False).reserved == 32 * MIB
    assert replay(program(ask(0, 31 * MIB)), (), True).reserved == 40 * MIB


def test_what_is_given_back_is_used_again_but_not_by_another_stream() -> None:
    again = program(ask(0, 20 * MIB), ("free", 0), ask(1, 20 * MIB))
    assert replay(again).reserved == 20 * MIB
    other = program(ask(0, 20 * MIB), ("free", 0), ("stream", 1), ask(1, 20 * MIB))
    assert replay(other).reserved == 40 * MIB
    assert replay(other).allocated == 20 * MIB


def test_expandable_segments_join_what_others_leave_in_pieces() -> None:
    # Two neighbours are given back, and a third asks for what both had.
    events = [ask(0, 40 * MIB), ask(1, 40 * MIB), ("free", 0), ("free", 1), ask(2, 80 * MIB)]
    assert replay(program(*events), (), True).reserved == 80 * MIB
    assert replay(program(*events), (), False).reserved == 160 * MIB


def test_a_storage_that_is_resized_gives_back_and_asks_again() -> None:
    events = [ask(0, 40 * MIB), ("resize", 0, 0), ask(1, 40 * MIB), ("free", 1), ("resize", 0, 40 * MIB)]
    assert replay(program(*events)) == replay(program(ask(0, 40 * MIB)))


def test_what_is_built_and_gone_before_the_first_step_does_not_count() -> None:
    built = [ask(0, 100 * MIB), ask(1, 20 * MIB), ("free", 0), ("phase", "training"), ask(2, 20 * MIB)]
    assert replay(program(*built)).reserved == 40 * MIB


def test_blocks_never_overlap_and_nothing_is_lost() -> None:
    """Many of all sizes, given back in another order."""
    import random

    dice = random.Random(5)
    for expandable in (True, False):
        allocator, held = Allocator(expandable), {}
        for turn in range(600):
            if held and dice.random() < 0.45:
                allocator.give(held.pop(dice.choice(list(held))))
            else:
                held[turn] = allocator.take(dice.choice([300, 5000, MIB, 3 * MIB, 30 * MIB]), dice.randrange(3))
            for pool in allocator.pools.values():
                mine = [block for owner, block in held.values() if owner is pool]
                ranges = sorted((segment, start, size) for size, segment, start in (*mine, *pool.free))
                for one, two in pairwise(ranges):
                    assert one[0] != two[0] or one[1] + one[2] <= two[1]
                assert sum(size for _, _, size in ranges) == pool.reserved
        assert allocator.live == sum(block[0] for _, block in held.values())
