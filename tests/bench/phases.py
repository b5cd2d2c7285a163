# SPDX-License-Identifier: Apache-2.0
"""What is measured: each phase is a function of the bench and returns a dict of results for report.py."""
import collections
import json
import math
import os
import re
import time

import audit
from cluster import Failed, say, wait_for

IMAGE = "localhost/busybox:1"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
OPERATOR_PORT, APISERVER_PORT, FAKELET_PORT, API_PORT = 18081, 18082, 18090, 18080


def next_minute(lead_s):
    """The first full minute that is at least so far away, in seconds since 1970."""
    return math.ceil((time.time() + lead_s) / 60) * 60


def lead_s(n):
    """How long it may take to make n objects and to let their controller get ready for them."""
    return 10 + n / 12


def hourly(due):
    """A schedule that is due at that minute, and not again while the benchmark runs."""
    return f"{time.gmtime(due).tm_min} * * * *"


def once(due):
    """One that is not due again within a year: for objects that nobody takes away."""
    t = time.gmtime(due)
    return f"{t.tm_min} {t.tm_hour} {t.tm_mday} {t.tm_mon} *"


def sleep_until(instant):
    time.sleep(max(0, instant - time.time()))


def machine_cpu():
    """Seconds of CPU that were used so far, and that there were."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    idle = ticks[3] + ticks[4]
    return [(sum(ticks) - idle) / TICKS_PER_S, sum(ticks) / TICKS_PER_S]


class Watched:
    """CPU and memory of processes over a phase, and how much of the machine others took meanwhile."""

    def __init__(self, processes):
        self.processes = processes
        self.before = {p.name: p.sample() for p in processes}
        self.machine = machine_cpu()

    def results(self):
        rows = {}
        for p in self.processes:
            now = p.sample()
            rows[p.name] = dict(now, used=now["cpu"] - self.before[p.name]["cpu"])
        busy, available = (now - before for now, before in zip(machine_cpu(), self.machine))
        others = busy - sum(row["used"] for row in rows.values())
        return rows, max(0, others) / available


def settle(bench):
    """Waits until nothing is left to do for the fake kubelet, so that phases do not run into each other."""
    last = -1
    while True:
        now = bench.cluster.metric(FAKELET_PORT, "fakelet_pods_ended_total")
        if now == last:
            return
        last = now
        time.sleep(1)


# ---- Kharon ---------------------------------------------------------------------------------------------------

def workflow(name, schedule):
    return {"apiVersion": "kharon.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": name, "namespace": "kharon"},
            "spec": {"schedule": schedule, "template": {"image": IMAGE, "args": ["run", "{}"]}}}


def instant_of(due):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(due))


def wait_until_armed(bench, n, due):
    """Every workflow's cursor stands before the due instant."""
    def armed():
        if time.time() > due - 2:
            raise Failed(f"{n} workflows were not ready in time")
        items = bench.cluster.items("workflows.kharon.dev", "-n", "kharon")
        ready = [w for w in items if w.get("status", {}).get("nextOffset", "").startswith(instant_of(due))]
        return len(ready) == n
    wait_for("workflows to be ready", lead_s(n) + 60, armed, 1)


def wait_until_done(bench, n):
    """Asks the operator; the API server has enough to do."""
    def done():
        ended = ('kharon_runs{state="DONE"', 'kharon_runs{state="ERROR"')
        return sum(v for k, v in bench.cluster.metrics(OPERATOR_PORT).items() if k.startswith(ended)) >= n
    wait_for(f"the end of {n} runs", 120 + n / 5, done, 0.5)


def names(items):
    return {item["metadata"]["name"] for item in items}


def judge(n, writes, instances, pods):
    """The exactness of it: [(what, is it so, figures)]."""
    instance_creates = audit.created(writes, "workflowinstances", "kharon", names(instances))
    pod_creates = audit.created(writes, "pods", "kharon", names(pods))
    states = collections.Counter(i.get("status", {}).get("state", "none") for i in instances)
    return [
        (f"{n} workflows: each of {n} instances is created once",
         len(instance_creates) == n and len(names(instances)) == n, f"{len(instance_creates)} creates"),
        (f"{n} workflows: each of {n} pods is created once",
         len(pod_creates) == n and len({w.name for w in pod_creates}) == n, f"{len(pod_creates)} creates"),
        (f"{n} workflows: {n} runs are DONE", states == {"DONE": n}, str(dict(states))),
    ]


def reaped(bench, n):
    """Waits until the operator has cleared its pods away: two minutes after their end."""
    def empty():
        return bench.cluster.metrics(OPERATOR_PORT).get('kharon_objects{kind="Pod"}', -1) == 0
    wait_for("the operator to clear pods away", 200 + n / 5, empty, 2)


def forget_all(bench):
    """Takes Kharon's objects away by one request for each kind: kubectl would delete one after the other."""
    for plural in "workflows", "workflowinstances":
        bench.cluster.kubectl("delete", "--raw", f"/apis/kharon.dev/v1alpha1/namespaces/kharon/{plural}")
    reaped(bench, 1000)


def kharon(bench, n, whole_life):
    """N workflows that are due at the same minute."""
    due = next_minute(lead_s(n))
    say(f"Kharon: {n} workflows, due at {instant_of(due)}")
    bench.log.skip()
    events = bench.cluster.metric(OPERATOR_PORT, "kharon_events_sent_total")
    bench.cluster.create([workflow(f"w{i}", hourly(due)) for i in range(n)])
    wait_until_armed(bench, n, due)
    writes = bench.log.read()
    sleep_until(due - 2)
    watched = Watched(bench.watched())
    sleep_until(due)
    wait_until_done(bench, n)
    done_s = time.time() - due
    usage, others = watched.results()
    settle(bench)
    in_time = bench.log.read()
    instances = bench.cluster.items("workflowinstances.kharon.dev", "-n", "kharon")
    pods = bench.cluster.items("pods", "-n", "kharon")
    verdict = judge(n, in_time, instances, pods)
    writes += in_time
    if whole_life:
        say(f"Kharon: all done after {done_s:.1f} s; waiting until the pods are cleared away")
        reaped(bench, n)
        writes += bench.log.read()
    events = bench.cluster.metric(OPERATOR_PORT, "kharon_events_sent_total") - events
    forget_all(bench)
    return {"who": "Kharon", "n": n, "usage": usage, "others": others, "verdict": verdict, "done_s": done_s,
            "pods": spread_of(in_time, "pods", "kharon", due, names(pods)),
            "instances": spread_of(in_time, "workflowinstances", "kharon", due, names(instances)),
            "whole_life": whole_life, "events": events, "writes": audit.by_kind(writes, audit.OPERATOR),
            "refused": audit.refused(writes, audit.OPERATOR)}


def spread_of(writes, what, ns, due, there=()):
    times = [w.answered for w in audit.created(writes, what, ns, there)]
    return dict(audit.spread(times, due), n=len(times))


def idle(bench, minutes):
    """One workflow, due every minute, and nothing else."""
    say(f"Kharon: one workflow, due every minute, for {minutes} minutes")
    bench.log.skip()
    bench.cluster.create([workflow("alone", "* * * * *")])
    first = next_minute(5)
    sleep_until(first - 5)
    watched = Watched(bench.watched())
    sleep_until(first + 60 * (minutes - 1) + 10)
    usage, others = watched.results()
    writes = [w for w in bench.log.read() if w.received >= first]
    pods = [w.answered for w in audit.created(writes, "pods", "kharon")]
    forget_all(bench)
    return {"minutes": minutes, "seconds": 60 * (minutes - 1) + 15, "late_ms": [(t % 60) * 1000 for t in pods],
            "usage": usage, "others": others}


# ---- what it is measured against ------------------------------------------------------------------------------

def loop(bench, n):
    """The bare loop of pod creates."""
    say(f"bare loop: {n} pods")
    ns = f"bench-loop-{n}"
    bench.cluster.kubectl("create", "namespace", ns)
    bench.cluster.kubectl("-n", ns, "create", "serviceaccount", "loop")
    bench.cluster.kubectl("-n", ns, "create", "rolebinding", "loop", "--clusterrole=edit",
                          f"--serviceaccount={ns}:loop")
    config = bench.cluster.kubeconfig(ns, "loop")
    wait_for("the namespace's default account", 30, lambda: bench.cluster.items("serviceaccounts", "-n", ns))
    bench.log.skip()
    watched = Watched(bench.watched())
    line = bench.cluster.run("in", bench.program("bench-loop"), f"--kubeconfig={config}", f"--namespace={ns}",
                             f"--count={n}", f"--in-flight={bench.options.in_flight}")
    writes = bench.log.read()
    settle(bench)
    usage, others = watched.results()
    start = min(w.received for w in writes if w.ns == ns)
    return {"who": f"bare loop, {bench.options.in_flight} at a time", "n": n,
            "pods": spread_of(writes, "pods", ns, start), "own": json.loads(line), "usage": usage, "others": others}


def cron_job(ns, name, schedule):
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": IMAGE, "args": ["run"]}]}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name, "namespace": ns},
            "spec": {"schedule": schedule, "jobTemplate": {"spec": {"template": {"spec": pod}}}}}


def cron(bench, n, flavour):
    """Kubernetes' own CronJob controller."""
    due = next_minute(lead_s(n))
    say(f"CronJob controller ({flavour}): {n} CronJobs, due at {instant_of(due)}")
    ns = f"bench-cron-{flavour}-{n}"
    bench.cluster.kubectl("create", "namespace", ns)
    bench.cluster.create([cron_job(ns, f"c{i}", once(due)) for i in range(n)])
    if time.time() > due - 2:
        raise Failed(f"{n} CronJobs were not made in time")
    bench.log.skip()
    sleep_until(due - 2)
    watched = Watched(bench.watched())
    writes = []

    def all_created():
        writes.extend(bench.log.read())
        return len(audit.created(writes, "pods", ns)) >= n
    sleep_until(due)
    wait_for(f"{n} pods of CronJobs", 60 + n, all_created, 1)
    settle(bench)
    usage, others = watched.results()
    finished = sum(1 for p in bench.cluster.items("pods", "-n", ns) if p["status"]["phase"] == "Succeeded")
    return {"who": f"CronJob controller, {flavour} flags", "n": n, "pods": spread_of(writes, "pods", ns, due),
            "usage": usage, "others": others, "finished": finished}


# ---- the programs ---------------------------------------------------------------------------------------------

def start_kharon(bench):
    """Definitions, accounts and rights as the chart has them; the programs run as plain processes."""
    cluster = bench.cluster
    cluster.kubectl("create", "-f", bench.file("manifests/crds.yaml"))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    wanted = {"Namespace", "ServiceAccount", "Role", "RoleBinding", "ClusterRole"}
    text = cluster.kubectl("create", "--dry-run=client", "-o", "json", "-f", bench.file("manifests/kharon.yaml"))
    cluster.create([d for d in bench.documents(text) if d["kind"] in wanted])
    config = cluster.kubeconfig("kharon", "kharon-operator")
    bench.processes["kharon-operator"] = cluster.start(
        "kharon-operator", bench.program("kharon-operator"), f"--kubeconfig={config}",
        f"--listen=127.0.0.1:{OPERATOR_PORT}", f"--max-in-flight={bench.options.in_flight}")
    wait_for("kharon-operator to lead", 30,
             lambda: cluster.metrics(OPERATOR_PORT).get(
                 'leader_election_master_status{name="kharon-operator"}') == 1)
    start_apiserver(bench)


def start_apiserver(bench):
    program = bench.program("kharon-apiserver", optional=True)
    if not program:
        say("kharon-apiserver is not built: measured without it")
        return
    config = bench.cluster.kubeconfig("kharon", "kharon-apiserver")
    bench.processes["kharon-apiserver"] = bench.cluster.start(
        "kharon-apiserver", program, f"--kubeconfig={config}", "--authentication=none",
        f"--listen=127.0.0.1:{API_PORT}", f"--probe-listen=127.0.0.1:{APISERVER_PORT}")
    wait_for("kharon-apiserver", 30, lambda: bench.cluster.get(f"http://127.0.0.1:{APISERVER_PORT}/readyz"))


def start_nodes(bench):
    """The fake nodes, ready and without the taint that a new node has."""
    cluster = bench.cluster
    bench.processes = cluster.components()
    bench.processes["fakelet"] = cluster.start(
        "fakelet", bench.program("bench-fakelet"), f"--listen=127.0.0.1:{FAKELET_PORT}")
    wait_for("the fake nodes", 30, lambda: cluster.get(f"http://127.0.0.1:{FAKELET_PORT}/readyz"))
    wait_for("nodes that take pods", 60, lambda: all(not n["spec"].get("taints") for n in cluster.items("nodes")))


def tune_controllers(bench):
    """Starts kube-controller-manager anew, as it was started, with its own limits raised."""
    old = bench.processes["controller-manager"]
    with open(f"/proc/{old.pid}/cmdline", encoding="ascii") as file:
        command = file.read().rstrip("\0").split("\0")
    old.stop()
    bench.processes["controller-manager"] = bench.cluster.start(
        "controller-manager", *command, "--kube-api-qps=2000", "--kube-api-burst=4000",
        "--concurrent-cron-job-syncs=20", "--concurrent-job-syncs=20")
    wait_for("kube-controller-manager", 60, lambda: re.match("ok", bench.cluster.run(
        "in", "sh", "-c", "curl -fsSk -m 2 https://127.0.0.1:10257/healthz || true")))
