"""The table of a run's results, as text and as Markdown."""

import json
import statistics
from dataclasses import dataclass, field
from itertools import zip_longest

from cases import (
    CASES,
    CLOSED_FACTOR,
    CLOSED_MORE_KB,
    GROWTH_KB,
    IDLE_BYTES,
    SETTLED_WAVE,
)
from servers import ALL, OURS

FLOORS = ["floor_ws", "floor_ws_batch", "floor_poll"]
NOTES_MAX = 20


@dataclass
class Results:
    about: dict = field(default_factory=dict)
    runs: dict = field(default_factory=dict)  # by case and peer: a list
    skipped: dict = field(default_factory=dict)  # why, by peer or case

    def add(self, line):
        if "about" in line:
            self.about = line["about"]
        elif "skip" in line:
            self.skipped[line["what"]] = line["skip"]
        else:
            peers = self.runs.setdefault(line["case"], {})
            peers.setdefault(line["peer"], []).append(line)

    def peers(self):
        """Those that are no floor and not ours, in the usual order."""
        seen = {p for peers in self.runs.values() for p in peers}
        return [p for p in ALL if p in seen and p != OURS and p[:5] != "floor"]


@dataclass
class Row:
    title: str
    cells: dict  # text by peer, and "floor"
    ratio: str = ""
    target: str = ""
    verdict: str = ""


def read(path):
    results = Results()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            results.add(json.loads(line))
    return results


# -- cells -------------------------------------------------------------------


def amount(value):
    """Three digits of it."""
    for limit, factor, unit in [(1e6, 1e-6, " M"), (1e3, 1e-3, " k"), (0, 1, "")]:
        if value >= limit:
            scaled = value * factor
            digits = 0 if scaled >= 100 or not unit else 1 if scaled >= 10 else 2
            return f"{scaled:.{digits}f}{unit}"
    return "-"


def bad(runs):
    return sum(not r["ok"] for r in runs)


def marked(text, runs):
    """With a mark where a run was not as it has to be."""
    return f"{text} !{bad(runs)}/{len(runs)}" if bad(runs) else text


def values(runs, key):
    return [r[key] for r in runs if r.get(key)]


def median_cell(runs, key="per_srv_cpu_s"):
    found = values(runs, key)
    return marked(amount(statistics.median(found)) if found else "-", runs)


def verdict(is_met, runs):
    if bad(runs):
        return "not ok"
    return "met" if is_met else "missed"


# -- rows --------------------------------------------------------------------


def ratios(ours, floor, key="per_srv_cpu_s"):
    """Of each repetition, whose runs followed each other."""
    by_rep = {r["rep"]: r.get(key) for r in floor}
    return [
        r[key] / by_rep[r["rep"]] for r in ours if r.get(key) and by_rep.get(r["rep"])
    ]


def ratio_text(found):
    text = f"{statistics.median(found):.2f}"
    return f"{text} ({min(found):.2f}-{max(found):.2f})" if len(found) > 1 else text


def rate_row(case, peers):
    row = Row(case.title, {p: median_cell(runs) for p, runs in peers.items()})
    if case.floor in peers:
        row.cells["floor"] = f"{row.cells[case.floor]} {ALL[case.floor].title}"
    if case.target is not None:
        row.target = f"{case.target:.2f}"
    ours, floor = peers.get(OURS, []), peers.get(case.floor, [])
    found = ratios(ours, floor)
    if found:
        row.ratio = ratio_text(found)
    if case.target is not None and ours and floor:
        is_met = bool(found) and statistics.median(found) >= case.target
        row.verdict = verdict(is_met, ours + floor)
    return [row]


def bytes_row(title, case, peers):
    cells = {p: median_cell(runs, "rss_per_conn") for p, runs in peers.items()}
    row = Row(f"{title}: bytes for each", cells)
    if case.floor in peers:
        row.cells["floor"] = f"{cells[case.floor]} {ALL[case.floor].title}"
    ours = peers.get(OURS)
    if ours:
        row.target = f"<= {IDLE_BYTES}"
        found = values(ours, "rss_per_conn")
        is_met = bool(found) and statistics.median(found) <= IDLE_BYTES
        row.verdict = verdict(is_met, ours)
    return row


def mib(kb):
    return f"{kb / 1024:.1f} MiB"


def closed_row(title, case, peers):
    """What is resident after the first wave."""
    cells = {
        p: marked(mib(statistics.median(found)) if found else "-", runs)
        for p, runs in peers.items()
        for found in [values(runs, "rss_closed_kb")]
    }
    row = Row(f"{title}: resident after closing", cells)
    if case.floor in peers:
        row.cells["floor"] = f"{cells[case.floor]} {ALL[case.floor].title}"
    return row


def closed_limit(run):
    return run.get("rss0_kb", 0) * CLOSED_FACTOR + CLOSED_MORE_KB


def wave_row(title, runs, at):
    """What is resident after a wave of ours, by what may be."""
    last = runs[-1]
    waves = last.get("waves", [])
    if not -len(waves) <= at < len(waves):
        return Row(title, {OURS: marked("-", runs)}, verdict=verdict(False, runs))
    closed, limit = waves[at]["rss_closed_kb"], closed_limit(last)
    return Row(
        title,
        {OURS: marked(mib(closed), runs)},
        target=f"<= {mib(limit)}",
        verdict=verdict(closed <= limit, runs),
    )


def growth_row(title, runs):
    """Between the lowest of three waves and of the last three: allocators let
    it go up and down a little from wave to wave."""
    waves = [w["rss_closed_kb"] for w in runs[-1].get("waves", [])]
    settled = waves[SETTLED_WAVE - 1 :]
    row = Row(title, {OURS: marked("-", runs)}, verdict=verdict(False, runs))
    if len(settled) > 3:
        grown = min(settled[-3:]) - min(settled[:3])
        row.cells[OURS] = marked(f"{grown} KiB", runs)
        row.target = f"<= {GROWTH_KB} KiB"
        row.verdict = verdict(grown <= GROWTH_KB, runs)
    return row


def idle_rows(case, peers):
    counts = [r["n"] for runs in peers.values() for r in runs if "n" in r]
    title = f"{case.title}, {max(counts, default=0)} connections"
    rows = [bytes_row(title, case, peers), closed_row(title, case, peers)]
    ours = peers.get(OURS)
    if ours:
        first = wave_row("", ours, 0)
        rows[1].target, rows[1].verdict = first.target, first.verdict
        waves = len(ours[-1].get("waves", []))
        rows.append(wave_row(f"{title}: the same, wave {waves}", ours, -1))
        rows.append(growth_row(f"{title}: growth from wave {SETTLED_WAVE} on", ours))
    return rows


def case_rows(name, peers):
    case = CASES[name]
    if case.kind == "idle":
        return idle_rows(case, peers)
    return rate_row(case, peers)


# -- the whole ---------------------------------------------------------------


def columns(results, rows):
    """Heading and cell of each, the ones without any text left out."""
    wanted = [("case", lambda r: r.title)]
    for peer in ["floor_tcp", "floor", OURS]:
        title = ALL[peer].title if peer in ALL else "floor"
        wanted.append((title, lambda r, p=peer: r.cells.get(p, "")))
    wanted.append(("of the floor", lambda r: r.ratio))
    wanted.append(("target", lambda r: r.target))
    wanted.append(("", lambda r: r.verdict))
    for peer in results.peers():
        wanted.append((ALL[peer].title, lambda r, p=peer: r.cells.get(p, "")))
    return [(t, c) for t, c in wanted if any(c(r) for r in rows)]


def grid(results):
    rows = [
        row
        for name in CASES
        if name in results.runs
        for row in case_rows(name, results.runs[name])
    ]
    used = columns(results, rows)
    return [[t for t, _ in used]] + [[cell(r) for _, cell in used] for r in rows]


def as_text(lines):
    widths = [max(map(len, column)) for column in zip_longest(*lines, fillvalue="")]
    out = []
    for number, line in enumerate(lines):
        # The case to the left, figures to the right.
        cells = [line[0].ljust(widths[0])]
        cells += [c.rjust(w) for c, w in zip(line[1:], widths[1:])]
        out.append("  ".join(cells).rstrip())
        if number == 0:
            out.append("  ".join("-" * w for w in widths))
    return out


def as_markdown(lines):
    head, *rest = lines
    out = ["| " + " | ".join(head) + " |"]
    out.append("|---|" + "---:|" * (len(head) - 1))
    return out + ["| " + " | ".join(line) + " |" for line in rest]


def thread_note(results):
    """How much more two threads do, by the clock."""
    runs = [results.runs.get(f"threads_{n}", {}).get(OURS, []) for n in (1, 2)]
    found = ratios(runs[1], runs[0], "per_s")
    if not found:
        return []
    return [f"threads_2 to threads_1, in events by the clock: {ratio_text(found)}"]


def fault_notes(results):
    for case, peers in results.runs.items():
        for peer, runs in peers.items():
            if bad(runs):
                why = next((r["error"] for r in runs if "error" in r), "late replies")
                yield f"! {case}, {peer}: {bad(runs)} of {len(runs)} not ok: {why}"


def notes(results):
    reps = max(
        (len(r) for peers in results.runs.values() for r in peers.values()), default=0
    )
    found = [f"Medians of {reps} repetitions; ratios by repetition."]
    found += thread_note(results)
    found += [f"skipped: {what}: {why}" for what, why in results.skipped.items()]
    faults = list(fault_notes(results))
    if len(faults) > NOTES_MAX:
        faults[NOTES_MAX:] = [f"... and {len(faults) - NOTES_MAX} more"]
    return found + faults


def render(results, markdown):
    about = [f"{key}: {value}" for key, value in results.about.items()]
    lines = grid(results)
    if markdown:
        listed = [f"- {line}" for line in [*about, *notes(results)]]
        return "\n".join([*as_markdown(lines), "", *listed])
    return "\n".join([*about, "", *as_text(lines), "", *notes(results)])
