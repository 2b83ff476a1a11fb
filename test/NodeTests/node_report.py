# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Outcomes of node tests and their tables, in Markdown."""
import collections
import re

from node_scope import CORE_TYPES, is_core

PASSED, CONSTANT, FAILED, CRASHED, TIMED_OUT, SKIPPED = OUTCOMES = (
    "passed", "passed with constant parameters", "failed", "crashed", "timed out",
    "out of scope")
# As heads of columns, and as words of passing.txt.
SHORT = {CONSTANT: "constant"}


def normalize(message):
    """A failure without what differs between cases of one cause: names, numbers, places."""
    message = re.sub(r"^.*\berror: ", "", message)
    message = re.sub(r"^loc\(.*?\)\)?\]?\)?: ", "", message)
    message = re.sub(r"^node '[^']*' \(([\w.]+), opset \d+\)", r"\1", message)
    if " max abs " in message:
        return "wrong result"
    message = re.sub(r"'[^']*'", "'...'", message)
    # Numbers, but not those of f32 or ReduceL2.
    return re.sub(r"(?<![\w.])-?\d+(\.\d+)?(e[+-]?\d+)?(?!\w)", "#", message)


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |"
              for row in rows]
    return lines + [""]


def count_outcomes(cases, results):
    counts = collections.Counter(results[case["name"]][0] for case in cases)
    return [len(cases)] + [counts[outcome] for outcome in OUTCOMES]


def grouped(cases, key):
    groups = collections.defaultdict(list)
    for case in cases:
        groups[key(case)].append(case)
    return sorted(groups.items())


def is_good(outcome):
    return outcome in (PASSED, CONSTANT, SKIPPED)


def reasons_table(cases, results):
    """Failures by cause, the most frequent first."""
    groups = collections.defaultdict(list)
    for case in cases:
        outcome, message = results[case["name"]]
        if not is_good(outcome):
            groups[outcome, normalize(message)].append(case)
    rows = []
    for (outcome, message), members in sorted(
            groups.items(), key=lambda item: (-len(item[1]), item[0])):
        ops = collections.Counter(case["op"] for case in members)
        names = ", ".join("%s %d" % pair for pair in ops.most_common(8))
        rows.append([len(members), sum(map(is_core, members)), outcome, "`%s`" % message,
                     names + (", ..." if len(ops) > 8 else ""), members[0]["name"]])
    return table(["cases", "core", "outcome", "reason", "operators", "for example"], rows)


def markdown(cases, results, title):
    header = ["cases"] + [SHORT.get(outcome, outcome) for outcome in OUTCOMES]
    core = [case for case in cases if is_core(case)]
    lines = ["# " + title, "", "## By tier", ""]
    rows = [[tier] + count_outcomes(members, results)
            for tier, members in grouped(cases, lambda case: case["tier"])]
    rows.append(["**all**"] + count_outcomes(cases, results))
    rows.append(["core: tiers 1 to 3, core types only"] + count_outcomes(core, results))
    lines += table(["tier"] + header, rows)
    lines += ["Core types: %s. Constant: refused as it stands, but passes when inputs such as "
              "`axes` and `shape` are constants of the model, as exporters write them."
              % ", ".join(sorted(CORE_TYPES)), ""]
    lines += ["## By data type", "", "A case counts for each type that it uses.", ""]
    types = sorted({name for case in cases for name in case["types"]})
    lines += table(["type"] + header, [
        [name] + count_outcomes([case for case in cases if name in case["types"]], results)
        for name in types])
    lines += ["## Failures by reason", "", *reasons_table(cases, results)]
    lines += ["## Failures by reason, core only", "", *reasons_table(core, results)]
    reasons = collections.Counter(results[case["name"]][1] for case in cases
                                  if results[case["name"]][0] == SKIPPED)
    lines += ["## Out of scope", "", *table(["cases", "reason"], [
        [number, reason] for reason, number in reasons.most_common()])]
    lines += ["## By operator", "", *table(["tier", "operator"] + header, [
        [tier.split()[0], op] + count_outcomes(members, results)
        for (tier, op), members in grouped(cases, lambda case: (case["tier"], case["op"]))])]
    lines += ["## Failed cases", "", *table(["operator", "case", "core", "outcome", "error"], [
        [case["op"], case["name"], "yes" if is_core(case) else "", *results[case["name"]]]
        for case in sorted(cases, key=lambda case: (case["tier"], case["op"], case["name"]))
        if not is_good(results[case["name"]][0])])]
    return "\n".join(lines)
