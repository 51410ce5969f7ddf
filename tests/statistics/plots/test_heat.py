"""Tables whose cells are the warmer the more they hold."""

from detection.statistics.plots.heat import LEVELS, heat_table


def test_largest_rows_and_columns_come_first() -> None:
    table = heat_table({("cat", "dog"): 1, ("cow", "horse"): 9, ("cow", "dog"): 2}, most=5)
    assert table.columns == ("horse", "dog")
    assert [(row.name, [cell.count for cell in row.cells]) for row in table.rows] == [("cow", [9, 2]), ("cat", [0, 1])]


def test_levels_follow_the_share_of_the_largest_count() -> None:
    table = heat_table({("a", "x"): 100, ("a", "y"): 41, ("b", "x"): 1}, most=5)
    levels = {
        (row.name, column): cell.level
        for row in table.rows
        for column, cell in zip(table.columns, row.cells, strict=True)
    }
    assert levels == {("a", "x"): LEVELS, ("a", "y"): 3, ("b", "x"): 1, ("b", "y"): 0}


def test_names_beyond_the_most_are_added_up() -> None:
    counts = {(f"model {number}", f"person {number}"): 10 - number for number in range(6)}
    table = heat_table(counts, most=3)
    assert table.columns == ("person 0", "person 1", None)
    assert [row.name for row in table.rows] == ["model 0", "model 1", None]
    assert [cell.count for cell in table.rows[2].cells] == [0, 0, 8 + 7 + 6 + 5]
    assert sum(cell.count for row in table.rows for cell in row.cells) == sum(counts.values())


def test_nothing_has_no_rows() -> None:
    assert (heat_table({}, most=3).columns, heat_table({}, most=3).rows) == ((), ())
