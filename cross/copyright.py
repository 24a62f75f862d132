#!/usr/bin/env python3
"""Writes the Debian copyright file (DEP-5): maskwatch's own terms, those of its weights and pictures, and those of every crate that is
in the program. usage: cross/copyright.py TARGET > copyright

The crates are what `cargo tree` finds for a target without build and macro crates; their notices are read from the sources that cargo
has downloaded. Where a crate offers several licences, the first in PREFERENCE is the one named. A licence that is not known here ends
the run: somebody has to look at it. Own code, since the ready tools (cargo-about, cargo-license, cargo-bundle-licenses) neither
write this form nor tell which crates reach a program, and take minutes to compile.
"""

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

# Licence and a phrase with which the part to be passed on begins; texts that Debian has in /usr/share/common-licenses are named only.
PREFERENCE = {
    "MIT": "Permission is hereby granted",
    "BSD-3-Clause": "Redistribution and use in source and binary forms",
    "BSD-2-Clause": "Redistribution and use in source and binary forms",
    "Apache-2.0": None,
    "Zlib": "This software is provided",
    "ISC": "Permission to use, copy, modify",
    "Unicode-3.0": "Permission is hereby granted, free of charge",
}
APACHE = "On Debian systems, the full text of the Apache License 2.0 is in /usr/share/common-licenses/Apache-2.0."
LLVM_EXCEPTION = """\
As an exception, if, as a result of your compiling your source code, portions of this Software are embedded into an Object form of such source code, you may redistribute such embedded portions in such Object form without complying with the conditions of Sections 4(a), 4(b) and 4(d) of the License."""
BSD3 = """\
Redistribution and use in source and binary forms, with or without modification, are permitted provided that the following conditions are met:

1. Redistributions of source code must retain the above copyright notice, this list of conditions and the following disclaimer.

2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following disclaimer in the documentation and/or other materials provided with the distribution.

3. Neither the name of the copyright holder nor the names of its contributors may be used to endorse or promote products derived from this software without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE."""

# What is in the program and no crate: paths, copyright lines, licence, a word of explanation.
OWN_PARTS = [
    (
        "models/detector.safetensors models/close-detector.safetensors models/int8.safetensors",
        ["2018-2022 OpenMMLab", "Shiqi Yu and the authors of libfacedetection.train", "2026 The maskwatch authors"],
        "Apache-2.0",
        "YuNet-n of libfacedetection.train, whose weights the training of both detectors started from and which were changed by it.",
    ),
    (
        "models/classifier.safetensors models/landmarks.safetensors models/int8.safetensors",
        ["2016 Soumith Chintala", "2026 The maskwatch authors"],
        "BSD-3-Clause",
        "MobileNetV2 of torchvision, whose weights the training of the classifier started from and which were changed by it. The pictures"
        " that both were trained on have terms of their own, not all of them known; models/README.md lists them.",
    ),
    (
        "tests/fixtures/*",
        ["NASA"],
        "public-domain",
        "The portrait of Eileen Collins that `maskwatch demo` and `maskwatch bench` show.",
    ),
    (
        "rust/library/*",
        ["The Rust Project Developers (see https://thanks.rust-lang.org)", "1991-2024 Unicode, Inc"],
        "MIT and Unicode-3.0",
        "The standard library and the crates in it (addr2line, adler2, backtrace, cfg-if, compiler_builtins, gimli, hashbrown, libc, memchr,"
        " miniz_oxide, object, rustc-demangle), all offered under the MIT licence or Apache-2.0; its character tables under Unicode-3.0.",
    ),
    (
        "llvm/libunwind/* llvm/compiler-rt/*",
        ["The LLVM Project"],
        "Apache-2.0 with LLVM-exception",
        "Linked in for the Arm boards; compiler_builtins descends from the second.",
    ),
]


def run(*command):
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: {' '.join(command)} failed: {error.stderr.strip()}")


def linked_packages(target):
    """The packages that are in the program, with their metadata, by name and version."""
    tree = run("cargo", "tree", "--locked", "--target", target, "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}")
    names = {tuple(line.split()[:2]) for line in tree.splitlines() if line.strip()}
    metadata = json.loads(run("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    packages = [p for p in metadata["packages"] if (p["name"], f"v{p['version']}") in names and p["name"] != "maskwatch"]
    if len(packages) != len(names) - 1:
        sys.exit(f"error: cargo tree names {len(names)} packages, cargo metadata knows {len(packages) + 1} of them")
    return sorted(packages, key=lambda p: (p["name"], p["version"]))


def chosen_licences(package):
    """Of every part of the licence expression that holds together with the others, the one that we take."""
    expression = (package["license"] or "").replace("/", " OR ")
    chosen = []
    for part in re.split(r"\bAND\b", expression):
        offered = [term.strip(" ()") for term in re.split(r"\bOR\b", part)]
        licence = next((licence for licence in PREFERENCE if licence in offered), None)
        if licence is None:
            sys.exit(f"error: {package['name']} {package['version']} is under '{expression}', which cross/copyright.py does not know")
        chosen.append(licence)
    return chosen


def notice_files(package):
    folder = Path(package["manifest_path"]).parent
    files = [f for f in folder.iterdir() if f.is_file() and re.match(r"(?i)(licen[cs]e|copying|copyright|notice)", f.name)]
    return [(f.name, f.read_text(encoding="utf-8", errors="replace")) for f in sorted(files)]


def copyright_lines(package, texts):
    """The copyright lines of the notices, or the authors where there are none (the Apache licence's own example is none)."""
    lines = []
    for _, text in texts:
        for line in text.splitlines():
            match = re.match(r"(?i)^[\s/*#>-]*(?:copyright:?(?:\s*(?:\(c\)|©))*|©)\s+(.*\w.*)$", line)
            if match and re.search(r"\d{4}|(?:developers|authors|contributors)$", match[1], re.I) and "yyyy" not in match[1]:
                lines.append(re.sub(r"(?i)\s*all rights reserved\.?", "", match[1]).strip(" .,"))
    if not lines:
        lines = [re.sub(r"\s*<.*>", "", author) for author in package["authors"]]
    return list(dict.fromkeys(lines)) or [f"the authors of {package['name']}"]


def paragraphs(text):
    """A text as a list of paragraphs, without the line breaks that differ from copy to copy."""
    parts = [re.sub(r"\s+", " ", re.sub(r"(?m)^\s*(?://|#)+", "", part)).strip() for part in re.split(r"\n\s*\n", text)]
    return [part for part in parts if part]


def licence_text(package, licence, texts):
    """The words of a licence in a crate's own file, or None where it ships none."""
    begin = PREFERENCE[licence]
    for name, text in texts:
        position = text.find(begin)
        if position < 0 or (licence == "MIT" and "WARRANTIES OF MERCHANTABILITY" not in text):
            continue
        body = paragraphs(text[position:].split("\n---", 1)[0])
        # What follows the licence proper in a file with several.
        end = next((i for i, part in enumerate(body) if re.match(r"(?i)apache license|the unlicense", part)), len(body))
        return "\n\n".join(body[:end])
    return None


def field(name, lines):
    return f"{name}: {lines[0]}\n" + "".join(f"{' ' * (len(name) + 2)}{line}\n" for line in lines[1:])


def folded(text, width=100):
    """A text as the continuation lines of a field: indented by a blank, empty lines as dots."""
    wrapped = []
    for part in text.split("\n\n"):
        wrapped += textwrap.wrap(part, width, break_long_words=False, break_on_hyphens=False) + [""]
    return "".join(f" {line or '.'}\n" for line in wrapped[:-1])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.split("\n\n")[0])
    own_mit = (Path(__file__).parent.parent / "LICENSE-MIT").read_text(encoding="utf-8")
    canonical = {"MIT": licence_text(None, "MIT", [("LICENSE-MIT", own_mit)]), "Apache-2.0": APACHE, "BSD-3-Clause": BSD3}
    texts_by_name = dict(canonical)
    texts_by_name["public-domain"] = "A work of the government of the United States, which has no copyright on it there."
    texts_by_name["Apache-2.0 with LLVM-exception"] = f"{APACHE}\n\n{LLVM_EXCEPTION}"
    groups = {}
    packages = linked_packages(sys.argv[1])
    for package in packages:
        texts = notice_files(package)
        names = []
        for licence in chosen_licences(package):
            text = None if PREFERENCE[licence] is None else licence_text(package, licence, texts)
            if text is None and licence not in canonical:
                sys.exit(f"error: {package['name']} {package['version']} is under {licence} and ships no text of it; see to it by hand")
            text = text or canonical[licence]
            # A text that differs in more than letters and line breaks from those so far has a name of its own.
            plain = re.sub(r"\W+", "", text).lower()
            name = next((n for n, t in texts_by_name.items() if n.startswith(licence) and re.sub(r"\W+", "", t).lower() == plain), None)
            if name is None:
                name = licence if licence not in texts_by_name else f"{licence}~{package['name']}"
                texts_by_name[name] = text
            names.append(name)
        notices = tuple(text for name, text in texts if name.lower().startswith("notice"))
        key = (tuple(copyright_lines(package, texts)), " and ".join(names), notices)
        groups.setdefault(key, []).append(f"crates/{package['name']}-{package['version']}/*")

    for _, _, licence, _ in OWN_PARTS:
        for name in licence.split(" and "):
            if name not in texts_by_name:
                sys.exit(f"error: no crate ships the text of {name} any more, which a part of the program is under; add it here")

    out = ["Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: maskwatch\nComment:\n" + folded(
        f"The program holds {len(packages)} crates of other authors, named below with their versions; the paths crates/NAME-VERSION are"
        " those of their sources on crates.io. Where a crate can be had under several licences, the one named here was chosen.")]
    out.append("Files: *\n" + field("Copyright", ["2026 The maskwatch authors"]) + "License: MIT or Apache-2.0\n")
    for files, owners, licence, comment in OWN_PARTS:
        out.append(f"Files: {files}\n" + field("Copyright", owners) + f"License: {licence}\nComment:\n" + folded(comment))
    for (owners, licence, notices), files in sorted(groups.items(), key=lambda item: item[1]):
        comment = "".join("Comment:\n" + folded("\n\n".join(paragraphs(notice))) for notice in notices[:1])
        out.append(field("Files", files) + field("Copyright", list(owners)) + f"License: {licence}\n" + comment)
    for name in sorted(texts_by_name):
        out.append(f"License: {name}\n" + folded(texts_by_name[name]))
    print("\n".join(out), end="")


main()
