"""Tells a lawful denial ("we will never threaten you", 我们不会联系您的家人) from everything that only looks like one.

A sentence is taken for a denial only where every word of it is known: who speaks, a "not", what is denied, to whom.
One word that is not known (only, if, today, 暂, 如果, 以为), a second "not" on the first, a question, or a next
sentence that begins with an exception, and the denial does not count: "we will not call your family if you pay" is a
threat. So some lawful sentences are refused as well; they have to be written shorter. Where it cannot be told, it is
refused: that is the safe side.
"""

import re
from collections.abc import Iterable, Sequence

from services.outreach.templates.domain.phrases import Span

_SAID, _STATED = "§", "!"
_STATES = re.compile(r"\b(?:will|shall|must|should|going|is|are|has|have)\b|会|将")
"""What makes a phrase a statement of its own, whose verb no "not" before it reaches: "your employer will know"."""

_SPEAKERS = """
we|our staff|our employees|our collectors|the bank|the lender|this bank|please note that|please note|be assured that
|we promise that|we promise|under no circumstances|as the law requires|without your consent|and we|i
|我们|本行|我行|本公司|本机构|贷款人|工作人员|催收人员|任何工作人员|所有工作人员|郑重承诺|承诺|保证|请您放心|请放心|请注意|请知悉|本计划|本方案|提前还款|分期|协商
|依法|按照规定|根据规定|依照法律规定|按照法律规定|在任何情况下|任何情况下|均|都|也|未经您同意|没有您的同意|和我们
"""
_NOTS = """
will never|will not|shall not|shall never|must not|must never|we do not|staff do not|does not|can not|cannot
|can never|never|nor|won t|we don t|doesn t|mustn t|are not|is not|am not|are never|is never|are not allowed to
|不|概不|不会|绝不会|绝不|从不|决不|决不会|不得|不能|不可以|严禁|禁止|无权|不是|并非|并不是|不应
"""
_ALONGSIDE = """
ever|in any way|by any means|for any reason|about it|about this|about your loan|to|the|a|an|any|or|and|you|your|of|with
|from|by|at|anybody|anyone|anybody else|anyone else|others|third persons|family|relatives|friends|employer|colleagues
|neighbours|home|ask for|use|call|contact|visit|charge|make|in public|for it|enter|as|posing as|speaking for
|向|对|以|以任何方式|以任何形式|以任何理由|因此|主动|再|任何|任何人|他人|第三人|您|您的|将|把|与|使用|进行|采取|的
|家人|亲友|亲属|朋友|同事|单位|邻居|住所|名义|行为|要求|收取|联系|或者|或|和|及|以及|并|等方式|等行为|手段|为
"""
_EXCEPTIONS = (
    "unless", "until", "except", "for now", "as long as", "provided", "yet", "but", "if not",
    "除非", "直到", "但是", "但", "暂时", "目前", "只要", "除了", "否则",
)  # fmt: skip


def _alternatives(words: str) -> str:
    each = sorted((word.strip() for word in words.split("|")), key=len, reverse=True)
    return "|".join(f"{word}(?![a-z])" if word.isascii() else word for word in each)


_TOKENS = re.compile(
    f"(?P<said>{_SAID})|(?P<nots>{_alternatives(_NOTS)})|(?P<speaker>{_alternatives(_SPEAKERS)})"
    f"|(?P<alongside>{_alternatives(_ALONGSIDE)}|、)|(?P<pause>[ ,])|(?P<unknown>.)",
    re.DOTALL,
)


def is_denied(text: str, span: Span, words: Iterable[Span]) -> bool:
    """Whether a lawful denial says the phrase at `span`; `words` are those of all phrases found in the text."""
    begin = 1 + max(text.rfind(sign, 0, span.begin) for sign in "\n?")
    end = min(_find(text, sign, span.end) for sign in "\n?")
    if text[end : end + 1] == "?" or text[end + 1 :].lstrip().startswith(_EXCEPTIONS):
        return False
    marked = _marked(text, begin, end, [each for each in words if begin <= each.begin and each.end <= end])
    kinds = [found.lastgroup or "unknown" for found in _TOKENS.finditer(marked)]
    return _is_denial(kinds, is_chinese=not marked.replace(_SAID, "").isascii())


def _find(text: str, sign: str, start: int) -> int:
    found = text.find(sign, start)
    return len(text) if found < 0 else found


def _marked(text: str, begin: int, end: int, spans: Iterable[Span]) -> str:
    """The sentence with one sign in place of what was found."""
    parts, place = [], begin
    for span in _merged(spans):
        stated = _STATES.search(text[span.begin : span.end])
        parts += [text[place : span.begin], _STATED if stated else _SAID]
        place = span.end
    return "".join((*parts, text[place:end]))


def _merged(spans: Iterable[Span]) -> list[Span]:
    """The spans in order; what overlaps is one."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda each: each.begin):
        if merged and span.begin < merged[-1].end:
            merged[-1] = Span(merged[-1].begin, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def _is_denial(kinds: Sequence[str], *, is_chinese: bool) -> bool:
    """Whether a "not" reaches everything that was found, and nothing undoes it. In Chinese a pause ends it."""
    reaches = waits = False
    for kind in kinds:
        if kind == "unknown" or (kind == "nots" and waits) or (kind == "said" and not reaches):
            return False
        waits = kind == "nots" or (waits and kind != "said")
        ends = kind == "speaker" or (kind == "pause" and is_chinese)
        reaches = kind == "nots" or (reaches and not ends)
    return True
