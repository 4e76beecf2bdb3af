#!/usr/bin/env python3
"""The reference page of the public headers: what stands in them, with an index of all that they declare.

    reference.py SOURCE_FOLDER OUT.html HEADER...     headers relative to the source folder
"""
import html
import re
import sys
from pathlib import Path

STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1d2129;--soft:#667085;--rule:#e4e7ec;--card:#f8f9fb;--link:#2563eb}
@media(prefers-color-scheme:dark){:root{--paper:#14171c;--ink:#e6e8ec;--soft:#98a2b3;--rule:#2b313b;--card:#1b1f26;--link:#6ea8fe}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
nav{position:fixed;inset:0 auto 0 0;width:19rem;overflow:auto;padding:1rem;border-right:1px solid var(--rule);font-size:.85rem}
main{margin-left:19rem;padding:1rem 2rem 4rem;max-width:1290px}a{color:var(--link);text-decoration:none}
nav h3{margin:.9rem 0 .1rem;font-size:.85rem}nav li{list-style:none}nav ul{margin:0;padding-left:.6rem}
nav input{width:100%;font:inherit;padding:.3rem}.prose{white-space:pre-line;max-width:75ch}.prose pre{white-space:pre}
pre{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:.8rem;overflow-x:auto;font-size:.8rem;line-height:1.45}
i{color:var(--soft);font-style:normal}b:target{background:#fde68a;color:#1d2129}h2{border-top:1px solid var(--rule);padding-top:1rem}
@media(max-width:760px){nav{position:static;width:auto;max-height:40vh}main{margin:0;padding:1rem}}
"""
SCRIPT = """
document.querySelector('nav input').oninput=e=>{const t=e.target.value.toLowerCase();
for(const g of document.querySelectorAll('nav section')){let any=false;
for(const l of g.querySelectorAll('li')){l.hidden=!l.textContent.toLowerCase().includes(t);any=any||!l.hidden}g.hidden=!any}};
"""
# What a line at the outermost level declares: a type, an alias, a constant, a function.
DECLARES = [
    re.compile(r"^(?:template <.*> )?(?:class|struct|enum class|enum) (?P<name>\w+)"),
    re.compile(r"^using (?P<name>\w+) ="),
    re.compile(r"^(?:inline )?constexpr .*?\b(?P<name>\w+)(?:\[\])? ="),
    re.compile(r"^(?:inline |template <.*> |\[\[nodiscard\]\] )*[\w:<>,&* ]+?[ &*](?P<name>operator\S+?|\w+)\("),
]


def split(text):
    """The comment at the top, and the lines of code below it that a reader wants."""
    lines = text.splitlines()
    top = 0
    while top < len(lines) and lines[top].startswith("//"):
        top += 1
    prose = [line[2:].removeprefix(" ") for line in lines[:top]]
    noise = re.compile(r"#pragma once|#include|#endif|#if|namespace \w+(::\w+)* \{|\}  // namespace")
    code, private = [], False
    for line in lines[top:]:
        private = line.strip() == "private:" or (private and line != "};")
        if not private and not noise.match(line):
            code.append(line)
    return prose, re.sub(r"\n{3,}", "\n\n", "\n".join(code)).strip("\n").splitlines()


def paragraphs(prose):
    """Running text as such; what is indented or drawn keeps its lines."""
    for block in re.split(r"\n\s*\n", "\n".join(prose)):
        drawn = any(re.match(r"\s{2,}\S", line) or re.search(r"\S {3,}\S", line) for line in block.splitlines())
        yield f"<pre>{html.escape(block)}</pre>" if drawn else f"<p>{html.escape(' '.join(block.split()))}</p>"


def page_of(header, text):
    prose, code = split(text)
    names, body = [], []
    for line in code:
        outermost = not line.startswith(" ")
        found = next((m for m in (pattern.match(line) for pattern in DECLARES) if m), None) if outermost else None
        comment = re.search(r"(?<!:)//.*", line)
        shown = html.escape(line[: comment.start()] if comment else line)
        if found:
            name, target = found["name"], f"{header}:{found['name']}"
            if name not in names:
                names.append(name)
                shown = re.sub(rf"(?<!\w){re.escape(html.escape(name))}(?!\w)", f"<b id='{html.escape(target)}'>{html.escape(name)}</b>", shown, count=1)
        body.append(shown + (f"<i>{html.escape(comment.group())}</i>" if comment else ""))
    section = f"<h2 id='{header}'>{header}</h2>" + "".join(paragraphs(prose)) + "<pre>" + "\n".join(body) + "</pre>"
    index = "".join(f"<li><a href='#{html.escape(header + ':' + name)}'>{html.escape(name)}</a></li>" for name in names)
    return section, f"<section><h3><a href='#{header}'>{header}</a></h3><ul>{index}</ul></section>"


def main():
    source, out, headers = Path(sys.argv[1]), Path(sys.argv[2]), sorted(sys.argv[3:])
    pages = [page_of(header, (source / header).read_text(encoding="utf-8")) for header in headers]
    out.write_text(
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
        "content='width=device-width,initial-scale=1'><title>Forger: reference</title><style>" + STYLE
        + "</style></head><body><nav><input placeholder='find a name' aria-label='find a name'>"
        + "".join(index for _, index in pages) + "</nav><main><h1>Forger: the public headers</h1>"
        + "".join(section for section, _ in pages) + "</main><script>" + SCRIPT + "</script></body></html>\n",
        encoding="utf-8")


if __name__ == "__main__":
    main()
