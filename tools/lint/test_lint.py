"""Plants violations in a small tree and expects each rule to find exactly them."""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import arrows  # noqa: E402
import format as formatting  # noqa: E402
import scripts  # noqa: E402
import text  # noqa: E402


class LintTest(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.root = self._folder.name

    def found(self, module, tree, executable=()):
        """Writes tree {path: content}; returns {(path, line): text} of the module's problems."""
        for path, content in tree.items():
            full = os.path.join(self.root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8", newline="") as out:
                out.write(content)
            if path in executable:
                os.chmod(full, 0o755)
        return {(p.path, p.line): p.text for p in module.check(self.root, sorted(tree))}

    def one_include(self, path, line):
        """The problem's text for a single include line in a file, '' if there is none."""
        tree = {path: line + "\n"}
        for header in ("frontend/ir/graph.h", "frontend/ops/linear.h", "frontend/numerics/quantize.h", "frontend/rules/rules.h",
                       "schedule/kernel.h", "codegen/cpp/printer.h", "codegen/native/jit.h", "api/model.h", "runtime/dot.h"):
            tree.setdefault(header, "")
        found = self.found(arrows, tree)
        self.assertTrue(set(found) <= {(path, 1)}, found)
        return found.get((path, 1), "")

    def test_allowed_arrows_pass(self):
        for path, line in [
            ("frontend/ops/linear.cpp", '#include "frontend/numerics/quantize.h"'),
            ("frontend/formats/spec/read.cpp", '#include "frontend/ops/linear.h"'),
            ("schedule/lower/gemm.cpp", "#include <Halide.h>"),
            ("schedule/lower/gemm.cpp", '#include "Halide.h"'),
            ("codegen/native/jit.cpp", "#include <llvm/IR/Module.h>"),
            ("codegen/cpp/emit.cpp", '#include "schedule/kernel.h"'),
            ("api/model.cpp", '#include "codegen/native/jit.h"'),
            ("cli/main.cpp", "#include <cxxopts.hpp>"),
            ("cli/main.cpp", '#include "api/model.h"'),
            ("runtime/dot_avx2.h", "#include <immintrin.h>"),
            ("runtime/dot_avx2.h", '#include "dot.h"'),
            ("tests/native/jit_test.cpp", "#include <llvm/IR/Module.h>"),
            ("frontend/ir/graph.cpp", "#include <vector>"),
        ]:
            with self.subTest(path=path, line=line):
                self.assertEqual(self.one_include(path, line), "")

    def test_forbidden_arrows_are_caught(self):
        for path, line, expected in [
            ("frontend/ir/a.cpp", '#include "frontend/ops/linear.h"', "no arrow from frontend/ir/ to frontend/ops/"),
            ("frontend/ops/a.cpp", '#include "frontend/rules/rules.h"', "no arrow from frontend/ops/ to frontend/rules/"),
            ("frontend/formats/a.cpp", '#include "frontend/rules/rules.h"', "no arrow from frontend/formats/"),
            ("frontend/rules/a.cpp", "#include <Halide.h>", "must not include Halide"),
            ("frontend/passes/a.cpp", '#include "schedule/kernel.h"', "no arrow from frontend/passes/ to schedule/"),
            ("schedule/a.cpp", "#include <llvm/IR/Module.h>", "must not include LLVM"),
            ("schedule/a.cpp", '  #  include "codegen/cpp/printer.h"', "no arrow from schedule/ to codegen/"),
            ("codegen/cpp/a.cpp", '#include "llvm/IR/Module.h"', "must not include LLVM"),
            ("codegen/cpp/a.cpp", '#include "api/model.h"', "no arrow from codegen/ to api/"),
            ("api/a.cpp", "#include <cxxopts.hpp>", "must not include cxxopts"),
            ("cli/a.cpp", '#include "schedule/kernel.h"', "no arrow from cli/ to schedule/"),
            ("cli/a.cpp", "#include <gtest/gtest.h>", "must not include GoogleTest"),
            ("runtime/a.h", "#include <vector>", "freestanding"),
            ("runtime/a.h", '#include "frontend/ir/graph.h"', "no arrow from runtime/ to frontend/ir/"),
            ("frontend/ir/a.cpp", '#include "graph.h"', "does not name a room"),
            ("frontend/ir/a.cpp", '#include "frontend/ir/grahp.h"', "does not exist"),
            ("frontend/rules/a.cpp", '#include "frontend/ops/linear.cpp"', "source file"),
        ]:
            with self.subTest(path=path, line=line):
                self.assertIn(expected, self.one_include(path, line))

    def test_includes_inside_emitted_text_and_comments_do_not_count(self):
        content = 'const char* a = R"(\n#include "api/model.h"\n)";\n/*\n#include <Halide.h>\n*/\n// x\n#include "api/model.h"\n'
        found = self.found(arrows, {"frontend/ir/a.cpp": content, "api/model.h": ""})
        self.assertEqual(list(found), [("frontend/ir/a.cpp", 8)])

    def test_code_outside_of_rooms_and_forbidden_links_are_caught(self):
        found = self.found(arrows, {"misc/a.cpp": "", "frontend/CMakeLists.txt": "# LLVM is not here\nqlathe_room(x DEPENDS Halide::Halide)\n"})
        self.assertEqual(set(found), {("misc/a.cpp", 1), ("frontend/CMakeLists.txt", 2)})

    def test_files_over_the_limit_are_caught_and_those_at_it_pass(self):
        guard = "#pragma once\n"
        found = self.found(text, {"a/ok.h": guard + "\nx" * 298 + "\n" + "x\n" * 300, "a/long.py": "x\n" * 601, "a/ok.md": "x\n" * 600})
        self.assertEqual(found, {("a/long.py", 601): "601 lines, the limit is 600"})

    def test_whitespace_is_caught(self):
        found = self.found(text, {"a.cpp": "int a; \n\tint b;\nint c;", "b.sh": "a\r\nb\r\n", "c.md": "a\n\n"})
        self.assertEqual(set(found), {("a.cpp", 1), ("a.cpp", 2), ("a.cpp", 3), ("b.sh", 1), ("c.md", 2)})

    def test_headers_without_guard_are_caught(self):
        self.assertEqual(set(self.found(text, {"a.h": "int a;\n", "b.h": "// b\n#pragma once\n", "templates/c.h": "x\n"})), {("a.h", 1)})
        guard = "#ifndef Q_H\n#define Q_H\n#endif\n"
        self.assertEqual(set(self.found(text, {"runtime/a.h": guard, "runtime/b.h": "#ifndef Q_H\n", "ir/a.h": guard})),
                         {("runtime/b.h", 1), ("ir/a.h", 1)})

    def test_bare_todos_are_caught_and_those_with_text_pass(self):
        found = self.found(text, {"a.cpp": "// TODO\n// TODO: mend the rounding\n// FIXME:\n// TODO(ann): later\n// mkstemp(XXXXXX)\n"})
        self.assertEqual(set(found), {("a.cpp", 1), ("a.cpp", 3)})

    def test_paths_of_one_machine_and_package_hosts_are_caught(self):
        lines = ["see /" + "home/ann/qlathe", "see ../work/x and tests/root/x", "from " + "pypi" + ".org"]
        self.assertEqual(set(self.found(text, {"a.md": "\n".join(lines) + "\n"})), {("a.md", 1), ("a.md", 3)})

    def test_goldens_keep_their_own_form(self):
        self.assertEqual(self.found(text, {"tests/cpp/goldens/a.cpp": "\tint a;  \n" * 700}), {})

    def test_scripts_that_do_not_parse_are_caught(self):
        found = self.found(
            scripts,
            {
                "a.py": "x = 1\ndef f(:\n",
                "b.sh": "echo a\nif true; then\n",
                "c.sh": "#!/usr/bin/env bash\nset -euo pipefail\n",
                "d.sh": "#!/usr/bin/env bash\necho\n",
                "e.py": "x = 1\n",
            },
            executable=["d.sh"],
        )
        self.assertEqual(set(path for path, _ in found), {"a.py", "b.sh", "c.sh", "d.sh"})
        self.assertIn(("a.py", 2), found)
        self.assertIn("not executable", found[("c.sh", 1)])
        self.assertIn("does not stop at errors", found[("d.sh", 1)])

    def test_unformatted_code_is_caught(self):
        style = "BasedOnStyle: Google\n"
        found = self.found(formatting, {".clang-format": style, "a/good.cpp": "int a;\n", "a/bad.cpp": "int a;\nint   b ;\n"})
        self.assertEqual(set(found), {("a/bad.cpp", 2)})


if __name__ == "__main__":
    unittest.main()
