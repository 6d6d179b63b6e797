#!/usr/bin/env python3
"""A rule that never fires is worse than none: each is broken here once, and its sentence must name file and line."""

import pathlib
import tempfile
import unittest

import tidy


def found_in(files):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return list(tidy.breaches(root))


class TidyTest(unittest.TestCase):
    def expect_one(self, files, place, words):
        found = found_in(files)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(place), found)
        self.assertIn(words, found[0])

    def test_an_arrow_against_the_direction_is_found(self):
        files = {"src/compute/cpu/gemm.cpp": '#include <vector>\n#include "engine/sampler.h"\n'}
        self.expect_one(files, "src/compute/cpu/gemm.cpp:2:", "compute must not include")

    def test_nothing_below_app_includes_app(self):
        self.expect_one({"src/serve/http/x.cpp": '#include "app/daemon.h"\n'}, "src/serve/http/x.cpp:1:", "serve must not")

    def test_the_transport_knows_no_dialect(self):
        include = '#include "serve/api/dialects.h"\n'
        self.expect_one({"src/serve/http/x.cpp": include}, "src/serve/http/x.cpp:1:", "knows no dialect")
        self.assertEqual(found_in({"src/serve/http/x_test.cpp": include, "src/app/x.cpp": include}), [])

    def test_the_folders_of_a_node_have_an_order(self):
        to_figures = '#include "app/node/figures/figures_host.h"\n'
        self.expect_one({"src/app/node/measure/x.cpp": to_figures}, "src/app/node/measure/x.cpp:1:", "NODE_FOLDERS")
        to_top = '#include "app/node/run_node.h"\n'
        self.expect_one({"src/app/node/api/x.cpp": to_top}, "src/app/node/api/x.cpp:1:", "NODE_FOLDERS")
        allowed = {"src/app/node/api/x.cpp": to_figures, "src/app/node/run.cpp": to_figures, "src/app/cli/up.cpp": to_top}
        self.assertEqual(found_in(allowed), [])

    def test_includes_are_written_from_src(self):
        self.expect_one({"src/model/gguf/x.cpp": '#include "gguf.h"\n'}, "src/model/gguf/x.cpp:1:", "from src/")

    def test_allowed_arrows_are_silent(self):
        files = {
            "src/engine/a.cpp": '#include "base/result.h"\n#include "model/gguf/gguf.h"\n#include "engine/b.h"\n',
            "src/app/main.cpp": '#include "serve/http/server.h"\n',
            "bench/b.cpp": '#include "compute/cpu/matmul.h"\n',
        }
        self.assertEqual(found_in(files), [])

    def test_the_wall_clock_is_read_in_base_only(self):
        read = "auto t = std::chrono::system_clock::now();\n"
        self.expect_one({"src/serve/x.cpp": "\n" + read}, "src/serve/x.cpp:2:", "wall clock")
        self.expect_one({"src/app/x.cpp": "srand(time(nullptr));\n"}, "src/app/x.cpp:1:", "wall clock")
        self.assertEqual(found_in({"src/base/clock.cpp": read}), [])

    def test_left_overs_are_found_everywhere(self):
        self.expect_one({"docs/a.md": "one\nFIX" + "ME later\n"}, "docs/a.md:2:", "to be fixed")

    def test_paths_of_one_machine_are_found(self):
        self.expect_one({"bench/a.sh": "cd /" + "work/here\n"}, "bench/a.sh:1:", "one machine")
        self.assertEqual(found_in({"bench/a.sh": "cd net/" + "work/\n"}), [])

    def test_headers_guard_themselves(self):
        self.expect_one({"src/base/x.h": "int x();\n"}, "src/base/x.h:1:", "#pragma once")

    def test_large_files_stay_out_but_for_the_demo_model(self):
        large = "x" * ((1 << 20) + 1)
        self.expect_one({"bench/results/a.csv": large}, "bench/results/a.csv:1:", "1048577 bytes")
        self.assertEqual(found_in({"models/pebble/pebble.gguf": large}), [])


if __name__ == "__main__":
    unittest.main()
