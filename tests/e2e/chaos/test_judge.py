#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests the judge: a log in which all is well, and what it says once somebody has doctored it. Ends as cmocka does."""
import os
import sys
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../../bench")]

import audit
import faults
import judge
import load

DUE = 1767225600  # 2026-01-01T00:00Z
UIDS = {"a": "11111111-1111-4111-8111-111111111111", "b": "22222222-2222-4222-8222-222222222222"}
FAKELET = "admin"


def at(seconds):
    return f"2026-01-01T00:{int(seconds) // 60:02}:{seconds % 60:09.6f}Z"


def write(when, user, verb, what, name, code, took=0.01):
    what, _, sub = what.partition("/")
    ref = {"resource": what, "namespace": "kharon", "name": name}
    if sub:
        ref["subresource"] = sub
    return audit.Write({"verb": verb, "objectRef": ref, "user": {"username": user}, "responseStatus": {"code": code},
                        "requestReceivedTimestamp": at(when), "stageTimestamp": at(when + took)})


def lease(when, user, code=200):
    return write(when, f"chaos:{user}", "update", "leases", "kharon-operator", code)


def create(when, user, what, name, code=201, took=0.01):
    return write(when, f"chaos:{user}", "create", what, name, code, took)


def told(when, pod, code=200):
    return write(when, FAKELET, "patch", "pods/status", pod, code)


def name(workflow, minute=0):
    return judge.instance_name(workflow, DUE + 60 * minute)


def pod(workflow, attempt=1):
    return judge.pod_name(UIDS[workflow], attempt)


def instance(workflow, minute=0, state="DONE", attempts=1, uid=None):
    return judge.Instance({"metadata": {"name": name(workflow, minute), "uid": uid or UIDS[workflow]},
                           "spec": {"workflow": workflow}, "status": {"state": state, "attempt": attempts}})


def good():
    """Workflow a ends at once, b fails once; a-1 leads and is followed by b-1 in between."""
    return [
        lease(1, "a-1"),
        create(5, "a-1", "workflowinstances", name("a")), create(6, "a-1", "pods", pod("a")),
        create(6.5, "a-1", "workflowinstances", name("b")), create(7, "a-1", "pods", pod("b")),
        told(7.1, pod("a")), told(7.2, pod("b")), told(8, pod("a")), told(8.2, pod("b")),
        lease(9, "a-1"), lease(12, "b-1"),
        write(12.5, "chaos:b-1", "patch", "workflowinstances/status", name("a"), 200),
        create(13, "b-1", "pods", pod("b", 2)), told(14, pod("b", 2)), told(15, pod("b", 2)),
    ]


WORKFLOWS = [judge.Workflow("a", 5, 0, DUE), judge.Workflow("b", 6, 1, DUE)]


def instances():
    return [instance("a"), instance("b", attempts=2)]


def verdict(writes=None, found=None, pods=(), until=DUE + 60, asked=DUE + 600):
    return judge.Verdict(judge.Found(instances() if found is None else found, asked, pods,
                                     good() if writes is None else writes), WORKFLOWS, until)


def broken(*args, **options):
    """What is not so."""
    return [what for what, bad in verdict(*args, **options).rows() if bad]


def without(test):
    return [w for w in good() if not test(w)]


LOST = "no due instant without its instance"
UNASKED = "no instance that was not due"
TWICE, POD_TWICE = "no instance created twice", "no pod created twice"
NO_POD, STRAY, TRIES = "no try without its pod", "no pod without a try", "no try more or less than pods fail"
UNTOLD = "the log tells how most pods went"
BESIDE, STALE = "no pod lives on beside the next try's", "no write by an old holder after a new one's first"
MANY = "no workflow has more unfinished runs than its limit"
IN_ERROR, STUCK = "no run in ERROR", "no run is stuck"


class Doctored(unittest.TestCase):
    def test_all_is_well(self):
        self.assertEqual(broken(), [])

    def test_a_missing_instance(self):
        self.assertEqual(broken(found=[instance("b", attempts=2)],
                                writes=without(lambda w: w.name in (name("a"), pod("a")))), [LOST])
        self.assertEqual(broken(until=DUE + 65), [LOST])  # the next minute of a
        self.assertEqual(broken(until=DUE + 64), [])      # it is due at 65

    def test_an_instance_that_nobody_asked_for(self):
        early = instance("a", -1, uid="33333333-3333-4333-8333-333333333333")
        early.attempts = 0
        self.assertIn(UNASKED, broken(found=instances() + [early]))

    def test_a_doubled_instance(self):
        for what, more in (("again", [create(20, "b-1", "workflowinstances", name("a"))]),
                           ("anew", [write(19, "x", "delete", "workflowinstances", name("a"), 200),
                                     create(20, "b-1", "workflowinstances", name("a"))])):
            with self.subTest(what):
                self.assertEqual(broken(good() + more), [TWICE])

    def test_what_is_refused_is_not_doubled(self):
        for code in 409, 504:
            self.assertEqual(broken(good() + [create(20, "b-1", "pods", pod("a"), code),
                                              create(20, "b-1", "workflowinstances", name("a"), code)]), [])

    def test_a_doubled_pod(self):
        self.assertEqual(broken(good() + [create(20, "b-1", "pods", pod("a"))]), [POD_TWICE])

    def test_a_pod_under_another_name(self):
        self.assertEqual(broken(good() + [create(20, "b-1", "pods", "styx-run-x")]), [STRAY])
        self.assertEqual(broken(good() + [create(20, "b-1", "pods", pod("a", 2))]), [STRAY])
        self.assertEqual(broken(pods=["styx-run-x"]), [STRAY])

    def test_runs_that_go_on_while_they_are_listed(self):
        ends = instance("a", 1, uid="33333333-3333-4333-8333-333333333333")
        late = [create(70, "b-1", "workflowinstances", ends.name), create(71, "b-1", "pods", ends.pods()[0])]
        unlisted = [create(72, "b-1", "pods", "styx-run-x"), told(73, "styx-run-x")]
        read = iter([good() + late + unlisted])
        asked = []

        class Setup:
            class cluster:
                @staticmethod
                def items(kind, *_):
                    asked.append(kind)
                    return []

            class log:
                @staticmethod
                def look():
                    asked.append("log")
                    return next(read)
        load.stored(Setup)
        self.assertEqual(asked, ["pods", "workflowinstances.kharon.dev", "log"])
        self.assertEqual(broken(good() + late + unlisted, instances() + [ends], asked=DUE + 71.5), [])
        self.assertEqual(broken(good() + late + unlisted, instances() + [ends], asked=DUE + 72.5), [STRAY])

    def test_a_missing_pod(self):
        self.assertEqual(broken(without(lambda w: w.name == pod("a"))), [NO_POD])

    def test_a_create_that_the_log_does_not_have(self):
        lacking = without(lambda w: w.name == pod("a") and w.verb == "create")
        self.assertEqual(broken(lacking), [])
        self.assertEqual(broken(without(lambda w: w.name == pod("a")), pods=[pod("a")]), [])

    def test_a_log_without_pods(self):
        """What is judged by what pods say would be right whatever happened."""
        self.assertEqual(broken(without(lambda w: w.what == "pods/status")), [UNTOLD])

    def test_a_try_too_many_or_too_few(self):
        more = [create(9.5, "a-1", "pods", pod("a", 2))]
        self.assertEqual(broken(good() + more, [instance("a", attempts=2), instance("b", attempts=2)]), [TRIES])
        less = without(lambda w: w.name == pod("b", 2))
        self.assertEqual(broken(less, [instance("a"), instance("b")]), [TRIES])

    def test_two_living_pods_of_a_run(self):
        late = without(lambda w: w.name == pod("b") and w.answered > audit.seconds(at(8.1)))
        self.assertEqual(broken(late + [told(13.5, pod("b"))]), [BESIDE])
        self.assertEqual(broken(late), [])  # the log does not say

    def test_a_limit(self):
        uid = "44444444-4444-4444-8444-444444444444"
        next_pod = judge.pod_name(uid, 1)
        found = instances() + [instance("a", 1, uid=uid)]

        def broken_by(create_at, most, others=()):
            more = [create(create_at, "b-1", "workflowinstances", name("a", 1)),
                    create(create_at + 0.1, "b-1", "pods", next_pod), told(70, next_pod), told(75, next_pod)]
            writes = without(lambda w: w.name == pod("a") and w.answered > audit.seconds(at(7.5)))
            workflows = [judge.Workflow("a", 5, 0, DUE, most), WORKFLOWS[1]]
            writes += more + [told(66, pod("a")), *others]
            said = judge.Verdict(judge.Found(found, DUE + 600, (), writes), workflows, DUE + 65)
            return [what for what, bad in said.rows() if bad]
        self.assertEqual(broken_by(65, 1), [MANY])
        controllers = write(68, "system:serviceaccount:kube-system:node-controller", "patch", "pods/status", pod("a"), 200)
        self.assertEqual(broken_by(67, 1, [controllers]), [])
        self.assertEqual(broken_by(65, 2), [])
        self.assertEqual(broken_by(67, 1), [])

    def test_stuck_and_failed_runs(self):
        self.assertEqual(broken(found=[instance("a", state="RUNNING"), instance("b", attempts=2)]), [STUCK])
        self.assertEqual(broken(found=[instance("a", state="ERROR"), instance("b", attempts=2)]), [IN_ERROR])


def patch(when, user, code=200, took=0.01):
    return write(when, f"chaos:{user}", "patch", "workflowinstances/status", name("a"), code, took)


class Stale(unittest.TestCase):
    def test_after_the_new_ones_first_write(self):
        self.assertEqual(broken(good() + [patch(12.6, "a-1")]), [STALE])
        self.assertEqual(broken(good() + [patch(100, "a-1")]), [STALE])

    def test_before_it(self):
        self.assertEqual(broken(good() + [patch(12.4, "a-1")]), [])

    def test_on_its_way_at_that_time(self):
        self.assertEqual(broken(good() + [patch(12.4, "a-1", took=2)]), [])

    def test_one_that_was_refused_is_counted_apart(self):
        found = verdict(good() + [patch(12.6, "a-1", code=409)])
        self.assertEqual((len(found.stale), len(found.stale_refused)), (0, 1))

    def test_who_leads_again_may_write(self):
        self.assertEqual(broken(good() + [lease(20, "a-1"), patch(21, "a-1")]), [])
        self.assertEqual(broken(good() + [lease(20, "a-1"), patch(21, "a-1"), patch(22, "b-1")]), [STALE])

    def test_an_acquisition_that_was_given_up_but_done(self):
        again = [lease(20, "a-1", 504), patch(21, "a-1"), lease(22, "a-1")]
        self.assertEqual(broken(good() + again), [])
        self.assertEqual(broken(good() + again[:2]), [STALE])
        self.assertEqual(broken(good() + again[:2] + [lease(26, "a-1")]), [STALE])  # that was a later one

    def test_one_that_never_led(self):
        self.assertEqual(broken(good() + [patch(21, "c-1")]), [STALE])


class Figures(unittest.TestCase):
    def test_takeovers(self):
        fault = faults.Fault("kill", "chaos:a-1")
        fault.at = audit.seconds(at(9.5))
        (to_lease, to_write), = judge.takeovers(verdict().reigns, [fault, faults.Fault("etcd")])
        self.assertAlmostEqual(to_lease, 2.51)
        self.assertAlmostEqual(to_write, 3.01)

    def test_nobody_leads_after_a_fault(self):
        self.assertEqual(judge.takeovers(verdict().reigns, [faults.Fault("kill", "chaos:b-1")]), [(float("inf"), None)])

    def test_time_without_a_control_plane_does_not_count(self):
        kill, stall = faults.Fault("kill", "chaos:a-1"), faults.Fault("stall")
        kill.at, stall.at, stall.over = (audit.seconds(at(s)) for s in (9.5, 9, 11))
        away = judge.outages(verdict().writes, [kill, stall])
        self.assertEqual([round(end, 2) for _, end in away], [DUE + 12.01])  # b-1 takes the lease
        (to_lease, to_write), = judge.takeovers(verdict().reigns, [kill], away)
        self.assertAlmostEqual(to_lease, 0)
        self.assertAlmostEqual(to_write, 0.5)

    def test_times_that_overlap_count_once(self):
        self.assertEqual(judge.available(0, 10, []), 10)
        self.assertEqual(judge.available(0, 10, [(6, 8), (2, 7), (3, 4)]), 4)
        self.assertEqual(judge.available(5, 10, [(0, 6), (9, 20)]), 3)
        self.assertEqual(judge.available(5, 10, [(0, float("inf"))]), 0)

    def test_runs_that_wait_for_each_other(self):
        ones = [judge.Workflow("a", 0, most=1), judge.Workflow("b", 0, most=2)]
        left = {name("a", m) for m in range(3)} | {name("b", m) for m in range(7)} | {name("c", m) for m in range(9)}
        self.assertEqual(load.in_turn(ones, left), 4)
        self.assertEqual(load.in_turn(ones[:1], left), 3)
        self.assertEqual(load.in_turn(ones, set()), 0)

    def test_runs_gap_and_lateness(self):
        found = verdict()
        self.assertEqual(found.finished(DUE, DUE + 6), 1)
        self.assertEqual(found.finished(DUE, DUE + 60), 2)
        self.assertAlmostEqual(found.gap(DUE + 5, DUE + 14), 12.51 - 7.01)
        self.assertAlmostEqual(found.latest(DUE, DUE + 60), 0.51)

    def test_a_run_is_not_late_before_there_is_room(self):
        writes = good() + [create(70, "b-1", "workflowinstances", name("a", 1))]
        found = instances() + [instance("a", 1, uid=UIDS["a"][::-1])]
        for most, ended, late in ((100, 69, 5.01), (1, 69, 1.01), (2, 69, 5.01), (1, 8, 5.01)):
            ones = [judge.Workflow("a", 5, 0, DUE, most), judge.Workflow("b", 6, 1, DUE)]
            there = judge.Found(found, DUE + 600, (), writes + [told(ended, pod("a"))])
            self.assertAlmostEqual(judge.Verdict(there, ones, DUE + 120).latest(DUE + 60, DUE + 120), late)


def main():
    result = unittest.TextTestRunner(stream=sys.stdout).run(
        unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__]))
    n_bad = len({getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors})
    print(f"[  PASSED  ] {result.testsRun - n_bad} test(s).")
    if n_bad:
        print(f"[  FAILED  ] {n_bad} test(s)")
    return 1 if n_bad else 0


sys.exit(main())
