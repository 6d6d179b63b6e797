#!/usr/bin/env python3
"""Reads the JUnit reports that ctest writes.

report.py PART REPORT           prints PART's figures and the output of each failed test
report.py --broken PART REPORT  writes a report with one failure: PART could not be built
report.py --sum REPORT...       prints `N passed, N failed` over all parts; exit status 1 if any failed or none ran
"""

import sys
import xml.etree.ElementTree as ElementTree

OUTPUT_LINES_MAX = 60
# How ctest says that a test skipped itself; any other reason for not running is a failure.
SKIPPED_ITSELF = ("SKIP_REGULAR_EXPRESSION_MATCHED", "SKIP_RETURN_CODE")


def outcome(case):
    if case.get("status") == "run":
        return "passed"
    skipped = case.find("skipped")
    if skipped is not None and skipped.get("message", "").startswith(SKIPPED_ITSELF):
        return "skipped"
    return "failed"


def read(path):
    """{outcome: [test case]} of one report; one failure if ctest wrote no readable report."""
    cases = {"passed": [], "skipped": [], "failed": []}
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        root = broken(f"no test report {path}: {error}")
    for case in root.iter("testcase"):
        cases[outcome(case)].append(case)
    return cases


def broken(name):
    root = ElementTree.Element("testsuite", name=name)
    ElementTree.SubElement(root, "testcase", name=name, status="fail")
    return root


def show_part(part, path):
    cases = read(path)
    for case in cases["failed"]:
        print(f"-- failed: {case.get('name')}")
        lines = (case.findtext("system-out") or "").rstrip().splitlines()
        if len(lines) > OUTPUT_LINES_MAX:
            print(f"   ({len(lines) - OUTPUT_LINES_MAX} lines above are left out)")
        print("\n".join(lines[-OUTPUT_LINES_MAX:]))
    figures = ", ".join(f"{len(found)} {name}" for name, found in cases.items())
    print(f"{part}: {figures}", flush=True)
    if cases["skipped"]:
        names = [case.get("name") for case in cases["skipped"]]
        print(f"   skipped: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}")


def show_sum(paths):
    reports = [read(path) for path in paths]
    passed, failed = (sum(len(cases[name]) for cases in reports) for name in ("passed", "failed"))
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


def main(arguments):
    if arguments[:1] == ["--sum"]:
        return show_sum(arguments[1:])
    if arguments[:1] == ["--broken"]:
        part, path = arguments[1:]
        ElementTree.ElementTree(broken(f"{part}: build")).write(path)
        print(f"{part}: the build failed", flush=True)
        return 0
    show_part(*arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
