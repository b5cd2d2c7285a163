# SPDX-License-Identifier: Apache-2.0
"""What is done to two operators and their control plane. Everything random comes from a seed.

Only processes are signalled that were started here, or that the cluster's records name.
"""
import base64
import json
import os
import signal
import subprocess
import time

import audit
import judge
from cluster import Failed, say, wait_for

LEASE_S = 6
PORTS = {"a": 18081, "b": 18082}
# Each operator reaches the API server by an address of its own, so that the network can be cut for one of them. They
# are all of this host: 127.0.0.0/8 is.
ADDRESSES = {"a": "127.0.0.11", "b": "127.0.0.12"}
FAILOVER_S = 60  # how long it may take at most until somebody leads again


class Watched(audit.Log):
    """The audit log, read on and on; everything that it said so far."""

    def __init__(self, path):
        super().__init__(path)
        self.writes = []

    def look(self):
        self.writes += self.read()
        return self.writes

    def leader(self):
        """The user that wrote the lease last; None before anybody did."""
        for w in reversed(self.look()):
            if w.what == "leases" and w.name == judge.LEASE and judge.is_operators(w) and w.code < 300:
                return w.user
        return None


class Fault:
    """One that was injected. `user`: of the leader that it hit; None if it hit none. `over`: since when what it hit of
    the control plane runs again; None if it hit a leader."""

    def __init__(self, kind, user=None):
        self.kind, self.user, self.at, self.over = kind, user, time.time(), None


class Operators:
    """Two of them, a and b. Each process is another user: chaos:a-1, chaos:a-2, ..."""

    def __init__(self, cluster, program, pki):
        self.cluster, self.program, self.pki = cluster, program, pki
        self.numbers = dict.fromkeys(PORTS, 0)
        self.logins, self.running = {}, {}

    def user(self, slot):
        return f"{judge.OPERATORS}{slot}-{self.numbers[slot]}"

    def slot_of(self, user):
        """Of a user whose process runs; None otherwise."""
        return next((slot for slot in self.running if self.user(slot) == user), None)

    def certificate(self, name):
        out = os.path.join(self.cluster.logs, name)
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                   "-days", "2", "-subj", f"/O=chaos-operators/CN={judge.OPERATORS}{name}",
                   "-CA", f"{self.pki}/ca.crt", "-CAkey", f"{self.pki}/ca.key",
                   "-addext", "extendedKeyUsage=clientAuth", "-keyout", f"{out}.key", "-out", f"{out}.crt"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"openssl: {done.stderr[-500:]}")
        return {"client-certificate-data": encoded(f"{out}.crt"), "client-key-data": encoded(f"{out}.key")}

    def prepare(self, slot):
        """The login of the next process, made ahead so that it starts at once."""
        name = f"{slot}-{self.numbers[slot] + 1}"
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "chaos",
            "clusters": [{"name": "chaos", "cluster": {
                "server": f"https://{ADDRESSES[slot]}:6443", "tls-server-name": "kubernetes",
                "certificate-authority-data": encoded(f"{self.pki}/ca.crt")}}],
            "users": [{"name": name, "user": self.certificate(name)}],
            "contexts": [{"name": "chaos", "context": {"cluster": "chaos", "user": name, "namespace": judge.NS}}]}
        path = os.path.join(self.cluster.logs, f"{name}.kubeconfig")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            json.dump(config, file)
        self.logins[slot] = path

    def start(self, slot):
        self.numbers[slot] += 1
        self.running[slot] = self.cluster.start(
            f"operator-{slot}-{self.numbers[slot]}", self.program, f"--kubeconfig={self.logins[slot]}",
            f"--listen=127.0.0.1:{PORTS[slot]}", "--retry-base=PT1S", f"--lease-duration={LEASE_S}s")
        self.prepare(slot)

    def restart(self, slot, signo):
        """Ends it and starts its successor; returns when it was hit."""
        hit = time.time()
        end(self.cluster, self.running.pop(slot), signo)
        self.start(slot)
        return hit

    def ready(self):
        """Both know what there is."""
        return all(self.cluster.get(f"http://127.0.0.1:{port}/readyz") for port in PORTS.values())


def encoded(path):
    with open(path, "rb") as file:
        return base64.b64encode(file.read()).decode()


def gone(process):
    """All its threads too: the first may be a zombie while another still holds the sockets."""
    try:
        return not process.alive() and len(os.listdir(f"/proc/{process.pid}/task")) <= 1
    except OSError:
        return True


def end(cluster, process, signo, timeout_s=10):
    """Ends a process and forgets it: its number may be somebody else's later."""
    os.kill(process.pid, signo)
    try:
        wait_for(f"end of {process.name}", timeout_s, lambda: gone(process), 0.01)
    except Failed:
        os.kill(process.pid, signal.SIGKILL)
        wait_for(f"end of {process.name}", timeout_s, lambda: gone(process), 0.01)
    if process in cluster.started:
        cluster.started.remove(process)


class Chaos:
    """The faults, each a method that injects one and returns when the next may come."""

    def __init__(self, cluster, operators, log, rng):
        self.cluster, self.operators, self.log, self.rng = cluster, operators, log, rng
        self.components = cluster.components()
        self.injected, self.restarts = [], 0
        self.note = lambda text: None

    def add(self, kind, user=None):
        self.injected.append(Fault(kind, user))
        return self.injected[-1]

    def leading(self):
        """(slot, user) of the leader, as soon as one leads that runs."""
        def ask():
            user = self.log.leader()
            slot = self.operators.slot_of(user)
            return (slot, user) if slot else None
        return wait_for("a leader", FAILOVER_S, ask, 0.05)

    def followed(self, user):
        """Waits until another one leads."""
        wait_for(f"a leader after {user}", FAILOVER_S, lambda: self.log.leader() != user, 0.05)

    def pause(self, low_s, high_s):
        time.sleep(self.rng.uniform(low_s, high_s))

    # ---- the leader ----

    def kill(self):
        slot, user = self.leading()
        self.add("kill", user).at = self.operators.restart(slot, signal.SIGKILL)
        self.followed(user)
        self.pause(0.5, 3)

    def handover(self):
        slot, user = self.leading()
        self.add("handover", user).at = self.operators.restart(slot, signal.SIGTERM)
        self.followed(user)
        self.pause(0.5, 2)

    def freeze(self):
        """Past its lease; it wakes while another one leads."""
        slot, user = self.leading()
        process = self.operators.running[slot]
        os.kill(process.pid, signal.SIGSTOP)
        self.add("freeze", user)
        try:
            self.pause(LEASE_S + 1, LEASE_S + 3)
        finally:
            os.kill(process.pid, signal.SIGCONT)
        self.followed(user)
        self.pause(0.5, 3)

    def cut(self):
        """No packet to or from the leader, also of connections that it has closed meanwhile."""
        slot, user = self.leading()
        address = ADDRESSES[slot]
        self.nft("add table inet chaos; add chain inet chaos out { type filter hook output priority 0; };"
                 f"add rule inet chaos out ip daddr {address} drop; add rule inet chaos out ip saddr {address} drop")
        self.add("cut", user)
        try:
            self.pause(LEASE_S + 1, LEASE_S + 3)
        finally:
            self.nft("delete table inet chaos")
        self.followed(user)
        self.pause(0.5, 3)

    def nft(self, rules):
        self.cluster.run("in", "nft", rules)

    # ---- the control plane ----

    def restart_component(self, name, signo):
        old = self.components[name]
        with open(f"/proc/{old.pid}/cmdline", encoding="ascii") as file:
            command = file.read().rstrip("\0").split("\0")
        fault = self.add(name)
        fault.over = float("inf")
        end(self.cluster, old, signo, 3)
        self.restarts += 1
        self.components[name] = self.cluster.start(f"{name}-{self.restarts}", *command)
        fault.over = time.time()

    def apiserver(self):
        self.restart_component("apiserver", self.rng.choice([signal.SIGKILL, signal.SIGTERM]))
        self.answering()
        self.pause(2, 6)

    def etcd(self):
        self.restart_component("etcd", self.rng.choice([signal.SIGKILL, signal.SIGTERM]))
        self.answering()
        self.pause(2, 6)

    def stall(self):
        """etcd stops for 1 to 10 s, and goes on with what it was asked meanwhile."""
        process = self.components["etcd"]
        os.kill(process.pid, signal.SIGSTOP)
        fault = self.add("stall")
        try:
            self.pause(1, 10)
        finally:
            os.kill(process.pid, signal.SIGCONT)
            fault.over = time.time()
        self.pause(1, 3)

    def answering(self):
        """The API server takes writes again: somebody's lease was renewed."""
        since = time.time()
        def renewed():
            return any(w.what == "leases" and w.code < 300 and w.received > since for w in self.log.look()[-500:])
        wait_for("the API server", 2 * FAILOVER_S, renewed, 0.1)


def anything(chaos):
    getattr(chaos, chaos.rng.choice(LEADERS + CONTROL_PLANE))()


LEADERS = ["kill", "handover", "freeze", "cut"]
CONTROL_PLANE = ["apiserver", "etcd", "stall"]
PHASES = [(name, lambda chaos, name=name: getattr(chaos, name)()) for name in LEADERS + CONTROL_PLANE]
PHASES.append(("anything", anything))


def inject(chaos, inject_one, until):
    """Faults, one after the other, until then; the last one is over when this returns."""
    while time.time() < until:
        say(f"  fault {len(chaos.injected) + 1}")
        inject_one(chaos)
