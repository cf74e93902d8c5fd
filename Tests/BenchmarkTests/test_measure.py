"""What the benchmark does with its figures: `python3 -m unittest discover Tests/BenchmarkTests`."""
import json, sys, unittest, xml.dom.minidom
from pathlib import Path
from unittest import mock

root = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(root / "Benchmarks"))
from measure import bench, costs, curves, documents, figures, plot, soak  # noqa: E402


class FigureTests(unittest.TestCase):
    def test_goals(self):
        cases = [
            ("at the bound", dict(value=3.0, at_least=3), True),
            ("below it", dict(value=2.99, at_least=3), False),
            ("above a limit", dict(value=5.01, at_most=5), False),
            ("not measured is not reached", dict(value=None, at_least=3), False),
            ("no goal, no verdict", dict(value=1.0), None),
        ]
        for name, members, holds in cases:
            with self.subTest(name):
                self.assertIs(figures.Figure("subject", "name", unit="×", **members).holds, holds)

    def test_numbers(self):
        shown = [figures.number(value) for value in [1_234_567.8, 1000, 64, 0.8125, 3.14159]]
        self.assertEqual(shown, ["1,234,568", "1,000", "64", "0.812", "3.14"])

    def test_table_and_json(self):
        seen = figures.Figures()
        with mock.patch("builtins.print"):
            seen.add("a send", 4.2, "ms", at_most=5)
            seen.add("missing", None, "×", at_least=3)
        self.assertEqual(seen.table().splitlines()[2:], [
            "| a send  | 4.2 ms       | ≤ 5 ms | holds |",
            "| missing | not measured | ≥ 3 ×  | no    |",
        ])
        self.assertEqual([one["holds"] for one in json.loads(seen.json("here"))["figures"]], [True, False])


    def test_more_tables(self):
        seen = figures.Figures()
        seen.subject = "endpoint"
        seen.add_table("Sends:", ["", "1", "16"], [["msorch", "1", "2"]])
        self.assertEqual(seen.more_tables(), "Sends:\n\n|  | 1 | 16 |\n| --- | ---: | ---: |\n| msorch | 1 | 2 |\n")
        self.assertIn("| msorch | 1 | 2 |", documents.results(seen, True))
        self.assertNotIn("msorch", documents.results(seen.of(["scale"]), True))

    def test_only_what_was_measured_whole_is_written(self):
        seen = figures.Figures()
        with mock.patch("builtins.print"), mock.patch.object(documents, "replace") as replaced:
            for seen.subject in ["endpoint", "scale"]:
                seen.add(f"{seen.subject}'s", 1.0)
            documents.write(seen, True)
        self.assertEqual([call.args[0] for call in replaced.call_args_list], ["endpoint"])
        self.assertIn("endpoint's", replaced.call_args.args[1])
        self.assertNotIn("scale's", replaced.call_args.args[1])


class SoakTests(unittest.TestCase):
    def samples(self, **growing):
        return [{"queue": ["fsync", "os"][turn % 2], "messages": 1,
                 **{what: 100 + growing.get(what, 0) * turn for what in ["latency", "memory", "descriptors"]}}
                for turn in range(16)]

    def test_judgement(self):
        self.assertTrue(all(one["holds"] for one in soak.judge(self.samples())))
        for what in ["latency", "memory", "descriptors"]:
            with self.subTest(what):
                grew = {one["what"].split(",")[0] for one in soak.judge(self.samples(**{what: 10})) if not one["holds"]}
                self.assertEqual(grew, {what})


class ToolTests(unittest.TestCase):
    def test_lines(self):
        self.assertEqual(bench.parse("sends: 12.5 messages/s\ndeep / shallow: 0.9 x\nsyncs: 3.0 \n"),
                         {"sends": 12.5, "deep / shallow": 0.9, "syncs": 3.0})

    def test_ratio_is_of_rounds(self):
        # The second round was slow for both; medians of each would compare different rounds.
        self.assertEqual(bench.ratio([100, 10, 90], [50, 5, 45]), 2)

    def test_failed_command(self):
        with self.assertRaisesRegex(RuntimeError, "ended with 1"):
            bench.timed(["/bin/false"])

    def test_command_that_hangs_is_killed(self):
        with mock.patch.object(bench.Bench, "patience", 0.05), self.assertRaisesRegex(RuntimeError, "-9"):
            bench.timed(["/bin/sleep", "60"])


class CostTests(unittest.TestCase):
    def test_parts(self):
        cases = [
            ("the call that caused it", ["ext4_da_write_begin", "__x64_sys_pwrite64", "__libc_pwrite64", "f"],
             "pwrite: the record into the page cache"),
            ("the innermost that is known", ["swift_retain", "RecordFrame.encode", "QueueState.send"],
             "the line's frame"),
            ("no frame but the heap's", ["_int_malloc", "[unknown]"], "the heap"),
            ("what no rule knows", ["mystery"], "`mystery`"),
        ]
        for name, frames, part in cases:
            with self.subTest(name):
                self.assertEqual(costs.part(frames), part)
        self.assertFalse(costs.is_rule("`mystery`"))


class PictureTests(unittest.TestCase):
    seen = {"body": {"fsync": [(64, 900.0), (1 << 20, 12.0)], "os": [(64, 9000.0), (1 << 20, 80.0)]},
            "backlog": {"send, receive, delete": [(0, 100.0), (1000, 100.0), (10_000_000, 99.0)]}}

    def test_picture(self):
        drawn = xml.dom.minidom.parseString(curves.picture(self.seen))
        lines = drawn.getElementsByTagName("polyline")
        self.assertEqual(len(lines), 3)
        width = float(drawn.documentElement.getAttribute("width"))
        for line in lines:
            places = [tuple(map(float, place.split(","))) for place in line.getAttribute("points").split()]
            self.assertEqual(places, sorted(places), "x grows")
            for x, y in places:
                self.assertTrue(plot.left <= x <= plot.width - plot.right and plot.top <= y <= plot.base, (x, y))
        self.assertEqual(width, 2 * plot.width)

    def test_table(self):
        self.assertIn("| fsync | 900 | 12 |", curves.tables(self.seen))

    def test_page_has_its_place(self):
        page = documents.page.read_text()
        for mark in documents.places:
            self.assertIn(f"<!-- {mark}: begin -->", page)
            self.assertIn(f"<!-- {mark}: end -->", page)


if __name__ == "__main__":
    unittest.main()
