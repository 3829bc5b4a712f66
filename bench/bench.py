#!/usr/bin/env python3
"""Measures servers by turns and prints one table; `./dev bench` builds first.

  bench.py [-s CASE,...] [-r REPS] [-t SECS] [-o FILE] [--markdown] PEER...
  bench.py --table FILE [--markdown]
  bench.py --list

Every run has a fresh server, on one core; the generator is on another one.
"""

import argparse
import json
import sys
import time

import table
from about import about
from cases import CASES, peers_of
from measure import run, self_check
from servers import ALL, BUILT

IDLE_REPS = 1  # memory does not depend on the minute


def say(text):
    print(text, file=sys.stderr, flush=True)


def case_names(text):
    names = text.split(",")
    for name in names:
        if name not in CASES:
            raise argparse.ArgumentTypeError(
                f"no such case: {name} (there are: {', '.join(CASES)})"
            )
    return names


def peer_name(text):
    if text not in ALL:
        raise argparse.ArgumentTypeError(
            f"no such peer: {text} (there are: {', '.join(ALL)})"
        )
    return text


def skip_pair(text):
    peer, _, why = text.partition("=")
    return peer, why


def positive(kind):
    def read(text):
        value = kind(text)
        if value <= 0:
            raise ValueError
        return value

    read.__name__ = kind.__name__
    return read


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", add_help=False)
    parser.add_argument("-s", "--cases", type=case_names, default=list(CASES))
    parser.add_argument("-r", "--reps", type=positive(int), default=3)
    parser.add_argument("-t", "--secs", type=positive(float), default=4.0)
    parser.add_argument("-o", "--out")
    parser.add_argument("--table", metavar="FILE")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--skip", type=skip_pair, action="append", default=[])
    parser.add_argument("peers", nargs="*", type=peer_name, metavar="PEER")
    return parser.parse_args()


def summary(result):
    if "skip" in result:
        return f"skipped: {result['skip']}"
    value = result.get("per_srv_cpu_s", result.get("rss_per_conn", "-"))
    unit = "B/conn" if "rss_per_conn" in result else "/cpu-s"
    text = f"{value:>10} {unit}"
    if "gen_util" in result:
        text += f"  server {result['srv_util']:.2f} generator {result['gen_util']:.2f}"
    if "load1" in result:
        text += f"  load {result['load1']:.2f}"
    return text if result["ok"] else f"{text}  NOT OK {result.get('error', '')}"


def turns(args):
    """Case, repetition and peer of each run.  Peers take turns, so that what
    else the machine does hits all alike, and every other time backwards."""
    for name in args.cases:
        case = CASES[name]
        peers = peers_of(case, args.peers)
        for rep in range(IDLE_REPS if case.kind == "idle" else args.reps):
            for peer in peers if rep % 2 == 0 else peers[::-1]:
                yield name, case, rep, peer


def measure(args, out):
    results = table.Results()

    def keep(line):
        results.add(line)
        out.write(json.dumps(line) + "\n")
        out.flush()

    keep({"about": about(args.peers, args.reps, args.secs)})
    for peer, why in args.skip:
        keep({"what": peer, "skip": why})
    for name, case, rep, peer in turns(args):
        if name in results.skipped:
            continue
        result = run(case, peer, args.secs)
        say(f"{name:16} {peer:15} {summary(result)}")
        if "skip" in result:
            keep({"what": name, "skip": result["skip"]})
        else:
            keep({"case": name, "peer": peer, "rep": rep} | result)
    return results


def main():
    args = arguments()
    if args.list:
        print("\n".join(f"{name:16} {case.title}" for name, case in CASES.items()))
        return 0
    if args.table:
        print(table.render(table.read(args.table), args.markdown))
        return 0
    fault = self_check()
    if fault:
        say(fault)
        return 1
    path = args.out or BUILT / time.strftime("results-%Y%m%d-%H%M%S.jsonl")
    with open(path, "w", encoding="utf-8") as out:
        results = measure(args, out)
    print(table.render(results, args.markdown))
    say(f"The results are in {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
