#!/usr/bin/env python3
"""Subjects of commits have at most 72 characters.

Looked at are the commits since `--base`; without it those since the branch left main, and on main those since this check came.
Older ones stay as they are.
"""

import contextlib
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import house

WIDTH = 72


def git(root, *arguments):
    """What git prints; None where it fails."""
    result = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=False)
    return result.stdout.strip() if result.returncode == 0 else None


def base(root, named):
    """The revision whose descendants are looked at; None where there is none."""
    if named and git(root, "cat-file", "-e", f"{named}^{{commit}}") is not None:
        return named
    if named:
        print(f"commits.py: {named} is not a commit here; looking since the branch left main")
    for main in ("main", "origin/main"):
        left = git(root, "merge-base", "HEAD", main)
        if left and left != git(root, "rev-parse", "HEAD"):
            return left
    return git(root, "log", "--diff-filter=A", "--format=%H", "-1", "--", "tests/house/commits.py") or None


def check(root, options):
    """Commits whose subject is too long."""
    since = base(root, options.base)
    log = git(root, "log", "--no-merges", "--reverse", "--format=%h %s", f"{since}..HEAD") if since else None
    if log is None:
        print("commits.py: skipped, since there is no git history here to look at")
        return []
    found = []
    for line in log.splitlines():
        commit, _, subject = line.partition(" ")
        if len(subject) > WIDTH:
            text = f"subject of {len(subject)} characters, {WIDTH} are allowed: “{subject}”"
            text += f"; reword it (git rebase --interactive {commit}~)"
            found.append(house.Finding(f"commit {commit}", 1, text))
    return found


class Tests(unittest.TestCase):
    def test_subjects(self):
        with tempfile.TemporaryDirectory() as folder:
            def commit(subject, path="a"):
                house.write_tree(Path(folder), {path: subject})
                git(folder, "add", "--all")
                identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
                git(folder, *identity, "commit", "--quiet", "--message", subject)

            def found(named=None):
                with contextlib.redirect_stdout(None):
                    return len(check(folder, SimpleNamespace(base=named)))

            git(folder, "init", "--quiet", "--initial-branch", "main")
            self.assertEqual(found(), 0)
            commit("x" * 73)
            self.assertEqual(found(), 0)
            commit("The check comes", "tests/house/commits.py")
            commit("y" * 73)
            commit("y" * 72)
            self.assertEqual((found(), found("HEAD~"), found("HEAD~3")), (1, 0, 1))
            git(folder, "checkout", "--quiet", "-b", "branch")
            commit("z" * 80)
            self.assertEqual((found(), found("0" * 40)), (1, 1))


if __name__ == "__main__":
    house.command(sys.modules[__name__], ("--base", {"metavar": "REVISION", "help": "look at the commits since this one"}))
