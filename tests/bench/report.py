# SPDX-License-Identifier: Apache-2.0
"""The report: plain text, ratios beside each other."""
import os
import time

import audit


def table(head, rows):
    """Columns as wide as their widest cell; text left, numbers right."""
    cells = [head] + [[c if isinstance(c, str) else f"{c:.2f}" for c in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return "\n".join("  " + "  ".join(
        c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip() for row in cells)


def rate(pods):
    return pods["n"] / pods["last"] if pods["n"] else 0


def of(results, n, who):
    return next((r for r in results if r["n"] == n and r["who"].startswith(who)), None)


def ratio(a, b):
    return f"{a / b:.2f}" if a and b else "-"


def speed(results):
    """Per N: who created its pods how fast, beside the loop and beside Kharon."""
    rows = []
    for n in sorted({r["n"] for r in results}):
        kharon, loop = of(results, n, "Kharon"), of(results, n, "bare loop")
        for r in (r for r in results if r["n"] == n):
            pods = r["pods"]
            rows.append([f"{n} {r['who']}", pods["p50"], pods["p99"], pods["last"], f"{rate(pods):.1f}",
                         ratio(rate(pods), rate(loop["pods"])) if loop else "-",
                         ratio(rate(pods), rate(kharon["pods"])) if kharon else "-"])
    return table(["pods", "p50 s", "p99 s", "last s", "per s", "/ loop", "/ Kharon"], rows)


def stages(results):
    rows = []
    for r in (r for r in results if r["who"] == "Kharon"):
        i = r["instances"]
        rows.append([f"{r['n']} workflows", i["p50"], i["p99"], i["last"], r["pods"]["last"], r["done_s"]])
    return table(["Kharon", "instance p50 s", "p99 s", "last s", "last pod s", "all DONE s"], rows)


def memory(results, idle):
    """Of Kharon's programs, and of the peer's process, at the end of a phase."""
    rows = []
    phases = ([("idle", idle)] if idle else []) + [(f"{r['n']} {r['who']}", r) for r in results]
    for title, r in phases:
        who = r.get("who", "Kharon")
        wanted = ("kharon-operator", "kharon-apiserver") if who == "Kharon" else ("controller-manager",)
        for name in wanted if "bare loop" not in who else ():
            if name in r["usage"]:
                u = r["usage"][name]
                rows.append([f"{title}: {name}", f"{u['rss']:.1f}", f"{u['pss']:.1f}", f"{u['peak']:.1f}"])
    return table(["MiB", "RSS", "PSS", "peak RSS"], rows)


def cpu(results):
    """CPU milliseconds a pod, from the due instant until the last one has ended.

    The last column is how much of the machine everybody else took: the more, the less the times above mean.
    """
    names = []
    for r in results:
        names += [name for name in r["usage"] if name not in names]
    rows = []
    for r in sorted(results, key=lambda r: r["n"]):
        used = {name: r["usage"][name]["used"] * 1000 / r["n"] for name in r["usage"]}
        rows.append([f"{r['n']} {r['who']}"] + [f"{used[name]:.1f}" if name in used else "-" for name in names]
                    + [f"{sum(used.values()):.1f}", f"{r['others'] * 100:.0f} %"])
    return table(["CPU ms a pod"] + names + ["all", "others"], rows)


def writes(results):
    lines = []
    for r in (r for r in results if r["who"] == "Kharon"):
        life = "whole life" if r["whole_life"] else "until DONE"
        total = sum(done + refused for done, refused in r["writes"].values()) + r["events"]
        lines.append(f"  {r['n']} workflows, {life}: {total / r['n']:.2f} writes a run, events included")
        for (verb, what), (done, refused) in sorted(r["writes"].items()):
            lines.append(f"    {verb} {what}: {done}" + (f", refused {refused}" if refused else ""))
        lines.append(f"    create events: {r['events']:.0f}")
        if r["refused"]:
            lines.append("    refused, by code: " + ", ".join(f"{c}: {k}" for c, k in sorted(r["refused"].items())))
    return "\n".join(lines)


def idle_lines(idle):
    late = idle["late_ms"]
    operator = idle["usage"]["kharon-operator"]
    return (f"  {len(late)} pods: p50 {audit.percentile(late, 50):.0f} ms, last {max(late, default=0):.0f} ms; "
            f"kharon-operator used {operator['used'] * 1e6 / idle['seconds'] / 1000:.2f} mCPU meanwhile")


def text(results, idle, version):
    parts = [f"Kharon's benchmark, {time.strftime('%Y-%m-%d %H:%M')}: {os.cpu_count()} cores, Kubernetes {version}, "
             "fake nodes, all on one machine", "",
             "Due instant (loop: first request) to pod created, by the API server's audit log", speed(results), "",
             "Kharon's stages, from the due instant", stages(results), "",
             "CPU until the last pod has ended; others: share of the machine that went to everything else",
             cpu(results), "",
             "Memory at the end of the phase", memory(results, idle), "",
             "Writes of kharon-operator, by the audit log (status writes of workflows before the due instant are in)",
             writes(results)]
    if idle:
        parts += ["", "One workflow, due every minute: due instant to pod created", idle_lines(idle)]
    return "\n".join(parts) + "\n"
