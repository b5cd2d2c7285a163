# SPDX-License-Identifier: Apache-2.0
"""What the audit log of a chaos run says: what was lost, doubled or written by somebody who led no more.

Every incarnation of an operator has a user of its own, so that the log tells them apart. Names say the rest: that of
an instance holds its due instant, that of a pod is made of its instance's UID and the try.
"""
import bisect
import collections
import datetime
import itertools
import uuid

import audit

NS, LEASE = "kharon", "kharon-operator"
OPERATORS = "chaos:"  # what the users of operators begin with
KUBELETS = "admin", "system:node:"  # ... and those of kubelets, the fake one first
MINUTE = 60
RETRIED_S = 5  # so soon a holder renews the lease again that got no answer; it lasts longer
DONE, ERROR = "DONE", "ERROR"


def is_operators(write):
    return write.user.startswith(OPERATORS)


def is_kubelets(write):
    """It tells how a pod goes. Controllers and the scheduler write there, too, also of pods that have ended."""
    return write.what == "pods/status" and write.user.startswith(KUBELETS)


def instance_name(workflow, due):
    """Of the run of a workflow for a minute, in seconds since 1970."""
    minute = datetime.datetime.fromtimestamp(due, datetime.timezone.utc).strftime("%Y-%m-%dt%H-%M-%Sz")
    return f"{workflow}.{minute}"


def due_of(name):
    return datetime.datetime.strptime(name.rpartition(".")[2] + "+0000", "%Y-%m-%dt%H-%M-%Sz%z").timestamp()


def pod_name(uid, attempt):
    """Of a try of a run that was triggered once."""
    return "styx-run-" + str(uuid.uuid5(uuid.UUID(uid), f"1/{attempt}"))


class Instance:
    """As it is stored at the end."""

    def __init__(self, item):
        status = item.get("status", {})
        self.name, self.uid = item["metadata"]["name"], item["metadata"]["uid"]
        self.workflow = item["spec"]["workflow"]
        self.state, self.attempts = status.get("state", "none"), status.get("attempt", 0)

    def pods(self):
        return [pod_name(self.uid, attempt + 1) for attempt in range(self.attempts)]


class Found:
    """What there is: instances, names of pods, and all that was written. Runs go on meanwhile: pods are those of
    before `asked`, when the instances were asked for, and what was written is all that led to these, and more."""

    def __init__(self, instances, asked, pods, writes):
        self.instances, self.asked, self.pods, self.writes = instances, asked, pods, writes


class Workflow:
    """Due every minute from `first` on, each time so many seconds later; its first tries fail. `most`: its limit of
    unfinished runs."""

    def __init__(self, name, offset, failing=0, first=0, most=100):
        self.name, self.offset, self.failing, self.first, self.most = name, offset, failing, first, most

    def due(self, until):
        """The instants whose runs are to begin until then."""
        return range(int(self.first), int(until - self.offset) + 1, MINUTE)


# ---- leading --------------------------------------------------------------------------------------------------


class Reign:
    """From an acquisition of the lease by a user to the next by another."""

    def __init__(self, write):
        self.user, self.acquired = write.user, write
        self.first = None  # what it wrote first, apart from the lease
        self.last = write


def lease_writes(writes):
    """Those that were done. One that was given up was if the next one, soon, is by the same user."""
    found = [w for w in writes if w.what == "leases" and w.name == LEASE and is_operators(w) and
             (w.code < 300 or w.code >= 500)]
    for i, w in enumerate(found):
        later = next((x for x in found[i + 1:] if x.code < 300), None)
        if w.code < 300 or (later and later.user == w.user and later.received < w.answered + RETRIED_S):
            yield w


def is_effect(write):
    return is_operators(write) and write.what != "leases" and write.code < 300


def reigns(writes):
    """In order; `writes` are in the order of their answers."""
    found = []
    for w in lease_writes(writes):
        if not found or found[-1].user != w.user:
            found.append(Reign(w))
    by_user = collections.defaultdict(list)
    for r in found:
        by_user[r.user].append(r)
    for w in filter(is_effect, writes):
        own = [r for r in by_user[w.user] if r.acquired.received <= w.received]
        if own:
            own[-1].first = own[-1].first or w
            own[-1].last = w
    return found


def stale(writes, found):
    """Writes that were sent by an old holder after a new one's first was done: (done, refused)."""
    ruled = sorted((r for r in found if r.first), key=lambda r: r.first.answered)
    begun = [r.first.answered for r in ruled]
    last_acquired = collections.defaultdict(list)
    for r in found:
        last_acquired[r.user].append(r.acquired.received)
    done, refused = [], []
    for w in writes:
        if not is_operators(w) or w.what == "leases":
            continue
        at = bisect.bisect_left(begun, w.received) - 1
        if at < 0 or ruled[at].user == w.user:
            continue
        if any(ruled[at].acquired.received < t <= w.received for t in last_acquired[w.user]):
            continue  # it leads anew and has not been told to have written yet
        (done if w.code < 300 else refused).append(w)
    return done, refused


def outages(writes, faults):
    """[(begin, end)] of the control plane: from a fault of it to the end of the first write, of whomever, that came
    after the fault was over and was done. `writes` are in the order of their answers."""
    found = []
    for fault in faults:
        if fault.over is not None:
            done = (w.answered for w in writes if w.received > fault.over and w.code < 300)
            found.append((fault.at, next(done, float("inf"))))
    return found


def available(begin, end, away):
    """So many of these seconds the control plane was not away."""
    at, seconds = begin, 0
    for first, last in sorted(away):
        seconds += max(0, min(first, end) - at)
        at = max(at, last)
    return seconds + max(0, end - at)


def takeovers(found, faults, away=()):
    """For each fault of a leader, seconds in which the control plane was there: to (the next one's acquisition, its
    first write). Infinite if no other one has led since."""
    times = []
    for fault in faults:
        if not fault.user:
            continue
        after = next((r for r in found if r.acquired.answered > fault.at and r.user != fault.user), None)
        if not after:
            times.append((float("inf"), None))
            continue
        first = available(fault.at, after.first.answered, away) if after.first else None
        times.append((available(fault.at, after.acquired.answered, away), first))
    return times


# ---- runs -----------------------------------------------------------------------------------------------------


def doubled(writes, what, there):
    """Names of objects that came to be more than once."""
    counts = collections.Counter(w.name for w in audit.created(writes, what, NS, there))
    return sorted(name for name, n in counts.items() if n > 1)


def told_by_pod(writes):
    """{pod: what its kubelet said of it}, done or perhaps done."""
    told = collections.defaultdict(list)
    for w in writes:
        if is_kubelets(w) and (w.code < 300 or w.code >= 500):
            told[w.name].append(w)
    return told


def overlapping(writes, told, instances):
    """Pods whose end was told only after the next try's was made: a fake pod is told of twice, start and end."""
    created = {}
    for w in writes:
        if w.what == "pods" and w.verb == "create" and w.code == 201:
            created.setdefault(w.name, w)
    found = []
    for instance in instances:
        pods = instance.pods()
        for pod, successor in zip(pods, pods[1:]):
            if successor in created and pod in told:
                at = created[successor]
                before = sum(w.received <= at.received for w in told[pod])
                later = any(w.code < 300 and w.received > at.answered for w in told[pod])
                if before < 2 and later:
                    found.append(pod)
    return found


def most_at_once(spans):
    """Of [(begin, end)]."""
    steps = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    return max(itertools.accumulate((step for _, step in steps)), default=0)


class Verdict:
    """Of a whole run."""

    def __init__(self, found, workflows, until):
        """until: what is due later is not missed."""
        self.writes = sorted(found.writes, key=lambda w: w.answered)
        instances, pods = found.instances, found.pods
        self.instances = {i.name: i for i in instances}
        self.by_workflow = {w.name: w for w in workflows}
        wanted = {instance_name(w.name, due): due + w.offset for w in workflows for due in w.due(until)}
        self.wanted = wanted
        self.lost = sorted(set(wanted) - set(self.instances))
        self.unasked = sorted(i.name for i in instances if i.workflow not in self.by_workflow or
                              due_of(i.name) < self.by_workflow[i.workflow].first)
        self.stuck = sorted(name for name in set(wanted) & set(self.instances)
                            if self.instances[name].state not in (DONE, ERROR))
        self.failed = sorted(i.name for i in instances if i.state == ERROR)
        self.created = audit.created(self.writes, "workflowinstances", NS, set(self.instances))
        self.doubled = doubled(self.writes, "workflowinstances", set(self.instances))
        self.doubled_pods = doubled(self.writes, "pods", set(pods))
        self.told = told_by_pod(self.writes)
        self.judge_pods(pods, found.asked)
        self.overlapping = overlapping(self.writes, self.told, instances)
        self.spans = self.active()
        self.too_many = sorted(n for n, spans in self.spans.items() if most_at_once(spans) > self.by_workflow[n].most)
        self.reigns = reigns(self.writes)
        self.stale, self.stale_refused = stale(self.writes, self.reigns)

    def judge_pods(self, pods, asked):
        """Each try has a pod, each pod belongs to a try, and there are as many tries as have to fail and one."""
        made = {w.name for w in audit.created(self.writes, "pods", NS, set(pods))} | set(pods)
        # a create that was not answered, since the API server was killed, left traces of its pod
        written = [w for w in self.writes if w.what.startswith("pods") and w.ns == NS and w.code < 300]
        made |= {w.name for w in written}
        judged = set(pods) | {w.name for w in written if w.answered < asked}
        tries = {pod: i for i in self.instances.values() for pod in i.pods()}
        # one that has not ended may be about to count its try
        coming = {pod_name(i.uid, i.attempts + 1) for i in self.instances.values() if i.state not in (DONE, ERROR)}
        self.pods = made
        self.lost_pods = sorted(pod for pod, i in tries.items() if pod not in made and i.state in (DONE, ERROR))
        self.stray_pods = sorted(judged - set(tries) - coming)
        untold = sorted(pod for pod in tries if pod not in self.told)
        self.untold = untold if 2 * len(untold) > len(tries) else []  # the API server may die before it logs a few
        self.extra_tries = sorted(i.name for i in self.instances.values() if i.state in (DONE, ERROR) and
                                  i.workflow in self.by_workflow and
                                  i.attempts != self.by_workflow[i.workflow].failing + 1)

    def active(self):
        """{workflow: [(begin, end)] of its runs}: at least from the instance's create to the last word of a pod."""
        ended = {w.name: w.received for w in self.writes if is_kubelets(w)}
        found = collections.defaultdict(list)
        for w in self.created:
            instance = self.instances.get(w.name)
            ends = [ended[pod] for pod in instance.pods() if pod in ended] if instance else []
            if ends and instance.workflow in self.by_workflow and max(ends) > w.answered:
                found[instance.workflow].append((w.answered, max(ends)))
        return found

    def of(self, names, begin, end):
        """How many of these instances were to begin in that time."""
        return sum(begin <= self.wanted.get(name, 0) < end for name in names)

    def finished(self, begin, end):
        names = (n for n, i in self.instances.items() if i.state in (DONE, ERROR))
        return self.of(names, begin, end)

    def gap(self, begin, end):
        """The longest time in which nobody of us wrote anything."""
        times = [begin] + [w.answered for w in self.writes if is_effect(w) and begin <= w.answered < end] + [end]
        return max(b - a for a, b in zip(times, times[1:]))

    def latest(self, begin, end):
        """How late the latest run of that time was made, after it was due and those before it had left room for it:
        it depends on others when their pods begin."""
        def room(w):
            workflow = self.by_workflow[w.name.rpartition(".")[0]]
            ends = sorted((last for first, last in self.spans[workflow.name] if first < w.answered), reverse=True)
            return ends[workflow.most - 1] if len(ends) >= workflow.most else 0
        late = [w.answered - max(self.wanted[w.name], room(w)) for w in self.created
                if begin <= self.wanted.get(w.name, 0) < end]
        return max(late, default=float("nan"))

    def rows(self):
        """[(what has to be so, names or writes that say otherwise)]"""
        return [
            ("no due instant without its instance", self.lost),
            ("no instance that was not due", self.unasked),
            ("no instance created twice", self.doubled),
            ("no pod created twice", self.doubled_pods),
            ("no try without its pod", self.lost_pods),
            ("no pod without a try", self.stray_pods),
            ("the log tells how most pods went", self.untold),
            ("no try more or less than pods fail", self.extra_tries),
            ("no pod lives on beside the next try's", self.overlapping),
            ("no workflow has more unfinished runs than its limit", self.too_many),
            ("no write by an old holder after a new one's first", self.stale),
            ("no run in ERROR", self.failed),
            ("no run is stuck", self.stuck),
        ]
