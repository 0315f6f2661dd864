import pytest

from zbuild.graph.topo import CycleError, order, reachable


def test_what_a_node_needs_comes_before_it() -> None:
    assert order({"app": ["lib", "base"], "lib": ["base"], "base": []}) == ("base", "lib", "app")


def test_otherwise_the_order_given_is_kept() -> None:
    assert order({"c": [], "a": [], "b": []}) == ("c", "a", "b")


def test_a_cycle_is_told_with_its_path() -> None:
    with pytest.raises(CycleError) as caught:
        order({"start": ["a"], "a": ["b"], "b": ["c"], "c": ["a"]})
    assert caught.value.path == ("a", "b", "c", "a")


def test_a_node_that_needs_itself_is_a_cycle() -> None:
    with pytest.raises(CycleError) as caught:
        order({"a": ["a"]})
    assert str(caught.value) == "a → a"


def test_a_chain_of_ten_thousand_is_no_deeper_than_any_other() -> None:
    edges = {str(number): [str(number + 1)] for number in range(10_000)} | {"10000": []}
    assert order(edges)[0] == "10000"


def test_reachable_is_the_start_and_all_it_needs() -> None:
    edges = {"a": ["b"], "b": ["c"], "c": [], "d": ["c"]}
    assert reachable(["a"], edges) == {"a", "b", "c"}
