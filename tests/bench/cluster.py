# SPDX-License-Identifier: Apache-2.0
"""The cluster under test, and processes beside it: in its network namespace, stopped by the pid that we started."""
import json
import os
import signal
import subprocess
import tempfile
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(REPO, "tests/cluster/cluster")


def say(text):
    print(time.strftime("%H:%M:%S"), text, flush=True)


class Failed(Exception):
    """The measurement cannot go on; the text says why."""


def wait_for(what, timeout_s, ask, every_s=0.2):
    """Asks until the answer is true, and returns it."""
    end = time.monotonic() + timeout_s
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(every_s)


def documents(text):
    """JSON values one after the other."""
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        yield value


class Process:
    """A process by its pid, whoever started it."""

    def __init__(self, name, pid):
        self.name, self.pid = name, pid

    def alive(self):
        try:
            with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as file:
                return file.read().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    def sample(self):
        """Memory in MiB and CPU in seconds so far."""
        if not self.alive():
            raise Failed(f"{self.name} has ended")
        memory = {"Rss": 0, "Pss": 0, "VmHWM": 0}
        for path in "smaps_rollup", "status":
            with open(f"/proc/{self.pid}/{path}", encoding="ascii", errors="replace") as file:
                for line in file:
                    key, _, value = line.partition(":")
                    if key in memory:
                        memory[key] = int(value.split()[0]) / 1024
        return {"rss": memory["Rss"], "pss": memory["Pss"], "peak": memory["VmHWM"], "cpu": self.cpu()}

    def cpu(self):
        """Of all threads; finer than the ticks of stat(5), which are longer than what an idle program uses."""
        used = 0
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            try:
                with open(f"/proc/{self.pid}/task/{thread}/schedstat", encoding="ascii") as file:
                    used += int(file.read().split()[0])
            except OSError:
                pass  # it has ended meanwhile
        return used / 1e9

    def stop(self):
        if self.alive():
            os.kill(self.pid, signal.SIGTERM)
            end = time.monotonic() + 10
            while self.alive() and time.monotonic() < end:
                time.sleep(0.05)
            if self.alive():
                os.kill(self.pid, signal.SIGKILL)


class Cluster:
    """tests/cluster/cluster under a name of our own; control plane only."""

    def __init__(self, name, logs):
        self.name, self.logs = name, logs
        self.started = []

    def command(self, *args):
        return [SCRIPT, "--name", self.name, *args]

    def run(self, *args, text=None, tell=False):
        """The cluster script; returns its standard output. What it says on the way is shown if it is to be told."""
        done = subprocess.run(self.command(*args), input=text, stdout=subprocess.PIPE,
                              stderr=None if tell else subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise Failed(f"{' '.join(args[:6])}: {(done.stderr or '').strip()[-1000:]}")
        return done.stdout

    def up(self):
        self.run("down", "--purge")
        self.run("up", "--control-plane", tell=True)

    def down(self):
        for process in reversed(self.started):
            process.stop()
        self.started = []
        self.run("down", "--purge")

    def kubectl(self, *args, text=None):
        return self.run("in", "kubectl", *args, text=text)

    def create(self, objects):
        """Creates many objects by one kubectl."""
        self.kubectl("create", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def items(self, *args):
        return json.loads(self.kubectl("get", "-o", "json", *args))["items"]

    def components(self):
        """The control plane's processes by name."""
        found = {}
        for line in self.run("status").splitlines():
            words = line.split()
            if words[1:2] == ["pid"]:
                found[words[0]] = Process(words[0], int(words[2]))
        return found

    def start(self, name, *args):
        """Starts a program in the cluster's network namespace."""
        with tempfile.NamedTemporaryFile("r", dir=self.logs) as pid_file, \
                open(os.path.join(self.logs, f"{name}.log"), "wb") as log:
            script = 'echo $$ >"$0"; exec "$@"'
            child = subprocess.Popen(self.command("in", "sh", "-c", script, pid_file.name, *args),
                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
            pid = wait_for(f"start of {name}", 10, lambda: open(pid_file.name, encoding="ascii").read().strip(), 0.02)
        process = Process(name, int(pid))
        process.child = child
        self.started.append(process)
        return process

    def get(self, url):
        """A page of a program in the namespace; '' if it does not answer or says no."""
        done = subprocess.run(self.command("in", "curl", "-fsS", "-m", "5", url), capture_output=True, text=True,
                              check=False)
        return done.stdout

    def metrics(self, port):
        """{'name{labels}': value} of a program in the namespace."""
        found = {}
        for line in self.get(f"http://127.0.0.1:{port}/metrics").splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found

    def metric(self, port, name):
        """One of them, which has to be there."""
        return wait_for(f"metric {name}", 30, lambda: [v for k, v in self.metrics(port).items() if k == name])[0]

    def kubeconfig(self, ns, account):
        """A kubeconfig of a service account; returns its path."""
        view = json.loads(self.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
        token = self.kubectl("-n", ns, "create", "token", account, "--duration=12h").strip()
        view["users"] = [{"name": account, "user": {"token": token}}]
        view["contexts"] = [{"name": account, "context": {
            "cluster": view["clusters"][0]["name"], "user": account, "namespace": ns}}]
        view["current-context"] = account
        path = os.path.join(self.logs, f"{account}.kubeconfig")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            json.dump(view, file)
        return path
