"""What PyTorch compiles gives the numbers of what it was compiled from, where loops are fused across sums."""

import pytest
from harness import assert_close


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_sums_over_a_list_are_added_up_before_they_are_read():
    """The sum is read by a loop over a merged axis, which is fused with an earlier one over two axes."""
    torch = pytest.importorskip("torch")
    from dpcore_torch.compiled import OPTIONS

    def summed(rows, segment, features, table, types, weight):
        known = torch.mm(features, weight)
        first = torch.mm(table.index_select(0, types) * known, weight)
        total = torch.zeros_like(features).index_add(0, segment, torch.mm(rows, weight))
        return first, torch.mm(total + known, weight)

    generator = torch.Generator().manual_seed(0)

    def normal(*sizes):
        return torch.randn(*sizes, dtype=torch.float64, generator=generator)

    def index(top, n):
        return torch.randint(0, top, (n,), generator=generator)

    given = normal(20, 5), index(37, 20), normal(37, 5), normal(9, 5), index(9, 37), normal(5, 5)
    compiled = torch.compile(summed, dynamic=True, options=OPTIONS)
    for found, wanted in zip(compiled(*given), summed(*given), strict=True):
        assert_close(found, wanted, 1e-14)
