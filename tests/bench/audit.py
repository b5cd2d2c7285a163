# SPDX-License-Identifier: Apache-2.0
"""The API server's audit log as the judge: who wrote what, how often, and when it was answered.

One JSON object a line; the cluster's policy logs the writes to pods, to kharon.dev and to leases, once each, when
they have been answered (stage ResponseComplete). The log has no bodies: names and codes are all it says.
"""
import collections
import datetime
import json

OPERATOR = "system:serviceaccount:kharon:kharon-operator"


def seconds(text):
    """'2026-01-01T00:00:00.123456Z' as seconds since 1970."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Write:
    """One answered request."""

    __slots__ = ("verb", "what", "ns", "name", "user", "extra", "code", "received", "answered")

    def __init__(self, line):
        ref = line["objectRef"]
        self.verb = line["verb"]
        self.what = ref["resource"] + ("/" + ref["subresource"] if "subresource" in ref else "")
        self.ns = ref.get("namespace", "")
        self.name = ref.get("name", "")
        self.user = line["user"]["username"]
        self.extra = line["user"].get("extra", {})
        self.code = line.get("responseStatus", {}).get("code", 0)
        self.received = seconds(line["requestReceivedTimestamp"])
        self.answered = seconds(line["stageTimestamp"])


class Log:
    """Reads on from where it stopped."""

    def __init__(self, path):
        self.path = path
        self.offset = 0
        self.rest = b""

    def skip(self):
        self.read()

    def read(self):
        """All writes since the last look."""
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            data = file.read()
        self.offset += len(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        events = (json.loads(line) for line in lines if line)
        return [Write(e) for e in events if e["stage"] == "ResponseComplete" and "objectRef" in e]


def created(writes, what, ns, there=()):
    """A write for each time that an object came to be, in order.

    A create that was answered 201 was done. One that was given up (500, 504) may have been done all the same: it was
    if the object is `there` (names) although nobody got a 201, or if somebody was told so or wrote to it; but not
    while a create was under way that was answered 201 then.
    """
    done, known, unsettled = [], set(), {}
    writes = sorted((w for w in writes if w.what.split("/")[0] == what and w.ns == ns), key=lambda w: w.answered)
    coming = {w.name: w for w in writes if w.verb == "create" and w.code == 201}

    def is_coming(w):
        create = coming.get(w.name)
        return create and create.received <= w.answered <= create.answered
    for w in writes:
        if w.verb == "create" and w.code == 201:
            done.append(w)
            known.add(w.name)
            unsettled.pop(w.name, None)
        elif w.verb == "create" and w.code >= 500 and w.name not in known:
            unsettled.setdefault(w.name, w)
        elif w.name in unsettled and (w.code < 300 or w.code == 409) and not is_coming(w):
            done.append(unsettled.pop(w.name))
            known.add(w.name)
        if w.verb == "delete" and w.code < 300:
            known.discard(w.name)
    done += [w for w in unsettled.values() if w.name in there]
    return sorted(done, key=lambda w: w.answered)


def percentile(values, percent):
    """The smallest value that so many percent of all do not exceed."""
    values = sorted(values)
    return values[max(0, -(-len(values) * percent // 100) - 1)] if values else float("nan")


def spread(times, start):
    """How long after `start` things happened, in seconds."""
    after = [t - start for t in times]
    return {"p50": percentile(after, 50), "p99": percentile(after, 99), "last": max(after, default=float("nan"))}


def by_kind(writes, user):
    """{(verb, what): [done, refused]} of one user; leases apart."""
    counts = collections.defaultdict(lambda: [0, 0])
    for w in writes:
        if w.user == user and w.what != "leases":
            counts[w.verb, w.what][0 if w.code < 300 else 1] += 1
    return dict(counts)


def refused(writes, user):
    """{code: how often} of the writes of one user that were not done."""
    return dict(collections.Counter(w.code for w in writes if w.user == user and w.code >= 300))
