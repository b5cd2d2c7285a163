#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests the judge: what is counted as a creation. Ends as cmocka does, so that it is counted beside the others."""
import json
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import audit


def line(verb, name, code, at, what="pods", sub=None, user="op"):
    ref = {"resource": what, "namespace": "a", "name": name}
    if sub:
        ref["subresource"] = sub
    stamp = f"2026-01-01T00:00:{at:09.6f}Z"
    return {"stage": "ResponseComplete", "verb": verb, "objectRef": ref, "user": {"username": user},
            "responseStatus": {"code": code}, "requestReceivedTimestamp": stamp, "stageTimestamp": stamp}


# lines, names that exist at the end, names that came to be
CREATIONS = [
    ([("create", "x", 201, 1)], [], ["x"]),
    ([("create", "x", 201, 1), ("create", "x", 409, 2)], [], ["x"]),
    ([("create", "x", 201, 1), ("create", "x", 201, 2)], [], ["x", "x"]),
    ([("create", "x", 403, 1)], ["x"], []),
    ([("create", "x", 504, 1)], [], []),
    ([("create", "x", 504, 1)], ["x"], ["x"]),
    ([("create", "x", 504, 1), ("create", "x", 504, 2)], ["x"], ["x"]),
    ([("create", "x", 504, 1), ("create", "x", 409, 2)], [], ["x"]),
    ([("create", "x", 504, 1), ("create", "x", 201, 2)], ["x"], ["x"]),
    ([("create", "x", 201, 1), ("create", "x", 504, 2)], ["x"], ["x"]),
    ([("create", "x", 504, 1), ("create", "x", 409, 2), ("create", "x", 504, 3)], ["x"], ["x"]),
    ([("create", "x", 201, 1), ("delete", "x", 200, 2), ("create", "x", 504, 3)], ["x"], ["x", "x"]),
    ([("create", "x", 504, 1), ("delete", "x", 200, 2), ("create", "x", 201, 3)], ["x"], ["x", "x"]),
    ([("create", "x", 504, 1), ("patch", "x", 404, 2)], [], []),
]


class Creations(unittest.TestCase):
    def test_what_counts(self):
        for lines, there, want in CREATIONS:
            with self.subTest(lines=lines, there=there):
                writes = [audit.Write(line(*row)) for row in lines]
                self.assertEqual([w.name for w in audit.created(writes, "pods", "a", there)], want)

    def test_what_is_written_to_before_its_create_is_answered(self):
        writes = [audit.Write(line("create", "x", 504, 1)), audit.Write(line("patch", "x", 200, 5)),
                  audit.Write(line("create", "x", 201, 6))]
        self.assertEqual(len(audit.created(writes, "pods", "a")), 2)
        writes[2].received -= 2
        self.assertEqual(len(audit.created(writes, "pods", "a")), 1)

    def test_other_kinds_and_namespaces_do_not(self):
        writes = [audit.Write(line("create", "x", 201, 1, what="jobs")), audit.Write(line("create", "x", 201, 1))]
        self.assertEqual(len(audit.created(writes, "pods", "a")), 1)
        self.assertEqual(audit.created(writes, "pods", "b"), [])


class Reading(unittest.TestCase):
    def test_half_a_line_waits_for_the_other_half(self):
        text = json.dumps(line("create", "x", 201, 1)) + "\n" + json.dumps(line("create", "y", 201, 2)) + "\n"
        with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:
            log = audit.Log(file.name)
            seen = []
            for part in text[:40], text[40:300], text[300:]:
                file.write(part)
                file.flush()
                seen += [w.name for w in log.read()]
            self.assertEqual(seen, ["x", "y"])
            self.assertEqual(log.read(), [])


class Figures(unittest.TestCase):
    def test_percentiles(self):
        for percent, want in (50, 50), (99, 99), (100, 100), (1, 1):
            self.assertEqual(audit.percentile(range(1, 101), percent), want)
        self.assertEqual(audit.percentile([7], 50), 7)

    def test_counts_by_kind(self):
        writes = [audit.Write(line(*row)) for row in
                  (("create", "x", 201, 1), ("create", "y", 409, 2), ("delete", "x", 200, 3))]
        writes.append(audit.Write(line("create", "z", 201, 4, user="somebody")))
        self.assertEqual(audit.by_kind(writes, "op"), {("create", "pods"): [1, 1], ("delete", "pods"): [1, 0]})
        self.assertEqual(audit.refused(writes, "op"), {409: 1})


def main():
    result = unittest.TextTestRunner(stream=sys.stdout).run(
        unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__]))
    n_bad = len({getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors})
    print(f"[  PASSED  ] {result.testsRun - n_bad} test(s).")
    if n_bad:
        print(f"[  FAILED  ] {n_bad} test(s)")
    return 1 if n_bad else 0


sys.exit(main())
