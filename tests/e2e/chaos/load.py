# SPDX-License-Identifier: Apache-2.0
"""Workflows that are due again and again, and what has become of them. `setup` has a cluster and an audit log."""
import collections
import math
import time

import audit
import judge
from cluster import Failed, wait_for

SETTLE_S = 180  # so soon after the last fault everything has ended that need not wait for another run
RUN_S = 30      # the longest run, with the scheduling of its pod
READ_S = 60     # so long the API server may not answer when we ask what there is


def start(setup, workflows, manifests):
    """Creates them, and learns from which minute on each is due."""
    setup.cluster.create(manifests)

    def armed():
        found = {i["metadata"]["name"]: i.get("status", {}).get("next")
                 for i in setup.cluster.items("workflows.kharon.dev", "-n", judge.NS)}
        return found if len(found) == len(workflows) and all(found.values()) else None
    # they may have begun before we look: what they began with is what was created, if it is earlier
    due = wait_for("workflows to be ready", 120, armed, 1)
    began = {}
    for w in setup.log.look():
        if w.what == "workflowinstances" and w.verb == "create" and w.code == 201:
            name = w.name.rpartition(".")[0]
            began[name] = min(judge.due_of(w.name), began.get(name, float("inf")))
    for w in workflows:
        w.first = min(audit.seconds(due[w.name]), began.get(w.name, float("inf")))


def items(setup, kind):
    """Whatever was done to the API server a moment ago: asks until it answers."""
    last = Failed(kind)

    def ask():
        nonlocal last
        try:
            return [setup.cluster.items(kind, "-n", judge.NS)]
        except Failed as failure:
            last = failure
            return None
    try:
        return wait_for(kind, READ_S, ask, 1)[0]
    except Failed:
        raise last from None


def stored(setup):
    """What there is, in the order that judge.Found asks for."""
    pods = {p["metadata"]["name"] for p in items(setup, "pods")}
    asked = time.time()
    instances = [judge.Instance(i) for i in items(setup, "workflowinstances.kharon.dev")]
    return judge.Found(instances, asked, pods, list(setup.log.look()))


def in_turn(workflows, left):
    """How many of these runs come one after the other at most, since their workflow may have so many unfinished."""
    count = collections.Counter(name.rpartition(".")[0] for name in left)
    return max((math.ceil(count[w.name] / w.most) for w in workflows), default=0)


def settle(setup, workflows, until):
    """Waits until all that was due until then has ended, if it does; returns what there is."""
    wanted = {judge.instance_name(w.name, due) for w in workflows for due in w.due(until)}
    begin, end = time.time(), None
    while True:
        found = stored(setup)
        left = wanted - {i.name for i in found.instances if i.state in (judge.DONE, judge.ERROR)}
        if end is None:
            end = begin + SETTLE_S + RUN_S * in_turn(workflows, left)
        if not left or time.time() > end:
            return found
        time.sleep(5)


def describe(found):
    """How many, and the first of them."""
    def one(x):
        return x if isinstance(x, str) else f"{x.user} {x.verb} {x.what} {x.name} {x.code} at {x.received:.3f}"
    return f"{len(found)}" + "".join(f"\n#   {one(x)}" for x in found[:10])


def count(rows):
    for number, (what, right, figures) in enumerate(rows, 1):
        print(f"{'ok' if right else 'not ok'} {number} - {what}: {figures}")
    n_failed = sum(not right for _, right, _ in rows)
    print(f"{len(rows) - n_failed} passed, {n_failed} failed")
    return 0 if rows and not n_failed else 1
