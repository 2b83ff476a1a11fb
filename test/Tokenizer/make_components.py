#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes components.json: what Hugging Face's `tokenizers` package gives for
one small tokenizer per component. Run it in an environment with `tokenizers`
(0.23.3 made the stored file) after adding a component; look at the difference.

Usage: make_components.py > components.json
"""

import json

from tokenizers import Tokenizer

CHARACTERS = list(dict.fromkeys("abcdeABCnost'., !?-_0123é\u0301ñ中文ß▁<>/½²\n"))
TEXTS = [
    "", " ", "ab abc  test", " don't, nose! ", "A-B_c 12 3½²", "e\u0301é\u00a0中文ab",
    "<S> ab<S>n", "a <s> b</s>  c", "ab\n\n c\tßﬁİ", "😀\u200d\x00\u0903ⓐ_②",
]  # fmt: skip
SPACE = {"type": "Metaspace", "replacement": "▁", "split": True}
GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
REGEXES = {
    "gpt4": GPT4, "word": r"\w+", "word-in-class": r"[\w-]+|[^\W_]", "non-word": r"[\W\d]",
    "boundary": r"\b", "space": r"\S+", "intersection": r"[\w&&[^\d]]+", "long-name": r"\p{Letter}+",
    "punct": "[[:punct:]]+", "alpha": "[[:alpha:]]+", "hex": r"\h+", "code": r"[\u4e00-\u9fff]",
    "anchors": "^.|.$", "dotall": "(?m:a.)", "possessive": "a?+b|c++", "empty": "a*",
}  # fmt: skip
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]


def numbered(tokens):
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}


BPE = {
    "type": "BPE", "unk_token": "<unk>",
    "vocab": numbered(["<unk>", *CHARACTERS, "ab", "abc", "ne", "▁a", "s</w>", "a</w>"]),
    "merges": [["a", "b"], ["ab", "c"], ["n", "e"], ["▁", "a"]],
}  # fmt: skip
WORDPIECE = {
    "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 12,
    "vocab": numbered(["[UNK]", "[CLS]", "[SEP]", *CHARACTERS, *("##" + c for c in CHARACTERS), "ab", "##st", "nose"]),
}  # fmt: skip
UNIGRAM = {
    "type": "Unigram", "unk_id": 0, "byte_fallback": False,
    "vocab": [["<unk>", 0.0], *([c, -4.0 - i / 16] for i, c in enumerate(CHARACTERS) if c not in "½²"),
              ["ab", -3.5], ["abc", -5.0], ["▁a", -2.25], ["nos", -6.0], ["中文", -7.0]],
}  # fmt: skip
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
BYTE_BPE = {"type": "BPE", "byte_fallback": True, "merges": [], "vocab": numbered(["a", "b", "▁", *BYTES])}
PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
ALPHABET = [*map(chr, PRINTABLE), *(chr(0x100 + i) for i in range(256 - len(PRINTABLE)))]
LEVEL_BPE = {
    "type": "BPE", "merges": ["a b", "Ġ ab", "Ġ n", "o s"],
    "vocab": numbered([*ALPHABET, "ab", "Ġab", "Ġn", "os", "nose"]),
}  # fmt: skip
MODELS = {"bpe": BPE, "wordpiece": WORDPIECE, "unigram": UNIGRAM, "byte-bpe": BYTE_BPE, "level-bpe": LEVEL_BPE}

entries = []


def add(name, model, changes=None, texts=TEXTS, sequences=(), **parts):
    """Records the facts of one tokenizer; `changes` are made to its model."""
    entry = {"name": name, "model": model, "changes": changes or {}, "parts": parts}
    full = {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
            "post_processor": None, "decoder": None, **parts, "model": {**MODELS[model], **entry["changes"]}}  # fmt: skip
    tokenizer = Tokenizer.from_str(json.dumps(full))
    entry["encodings"] = []
    entry["decodings"] = []
    for text in texts:
        ids = tokenizer.encode(text).ids
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        entry["encodings"].append([text, ids, plain])
        sequences = [*sequences, ids]
    for ids in sequences[:8]:
        entry["decodings"].append([ids, tokenizer.decode(ids), tokenizer.decode(ids, skip_special_tokens=False)])
    entries.append(entry)


def sequence(member, *steps):
    return {"type": "Sequence", member: list(steps)}


def token(id, content, **flags):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True, **flags}  # fmt: skip


for form in ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Nmt"]:
    add(form, "bpe", normalizer={"type": form})
add("Prepend", "bpe", normalizer={"type": "Prepend", "prepend": "▁"})
for left, right in [(True, False), (False, True), (True, True)]:
    add(f"Strip {left} {right}", "bpe", normalizer={"type": "Strip", "strip_left": left, "strip_right": right})
add("StripAccents", "bpe", normalizer=sequence("normalizers", {"type": "NFD"}, {"type": "StripAccents"}))
add("Replace string", "bpe", normalizer={"type": "Replace", "pattern": {"String": "ab"}, "content": "n"})
add("Replace regex", "bpe", normalizer={"type": "Replace", "pattern": {"Regex": r" {2,}|\d"}, "content": "a"})
bert = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None}
add("BertNormalizer", "wordpiece", normalizer={**bert, "lowercase": True}, pre_tokenizer={"type": "BertPreTokenizer"})
add("BertNormalizer cased", "wordpiece", normalizer={**bert, "lowercase": False}, decoder={"type": "WordPiece", "prefix": "##", "cleanup": True})
for behavior in BEHAVIORS:
    for invert in (False, True):
        split = {"type": "Split", "pattern": {"Regex": r"[a-c]+|\s"}, "behavior": behavior, "invert": invert}
        add(f"Split {behavior} {invert}", "wordpiece", pre_tokenizer=split, texts=TEXTS[2:6])
    add(f"Punctuation {behavior}", "wordpiece", pre_tokenizer={"type": "Punctuation", "behavior": behavior}, texts=TEXTS[3:5])
add("Split string", "wordpiece", pre_tokenizer={"type": "Split", "pattern": {"String": "."}, "behavior": "Isolated", "invert": False}, texts=["a.b..c"])
for name, regex in REGEXES.items():
    add(f"regex {name}", "wordpiece", pre_tokenizer={"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False})
for kind in ["Whitespace", "WhitespaceSplit", "BertPreTokenizer"]:
    add(kind, "wordpiece", pre_tokenizer={"type": kind}, decoder={"type": "WordPiece", "prefix": "##", "cleanup": False})
for individual in (False, True):
    add(f"Digits {individual}", "wordpiece", pre_tokenizer={"type": "Digits", "individual_digits": individual}, texts=["ab12c", "3½"])
for scheme in ["always", "first", "never"]:
    for split in (True, False):
        space = {**SPACE, "prepend_scheme": scheme, "split": split}
        extra = [token(len(UNIGRAM["vocab"]), "<s>"), token(len(UNIGRAM["vocab"]) + 1, "</s>", lstrip=True, rstrip=True)]
        add(f"Metaspace {scheme} {split}", "unigram", pre_tokenizer=space, decoder=space, added_tokens=extra)
for flags in [{}, {"lstrip": True}, {"rstrip": True}, {"single_word": True}, {"normalized": True, "special": False}]:
    size = len(BPE["vocab"])
    extra = [token(size, "<s>", **flags), token(BPE["vocab"]["ab"], "ab", **flags), token(size + 1, "<s>n", **flags)]
    add(f"added {flags}", "bpe", normalizer={"type": "Lowercase"}, added_tokens=extra)
add("BPE fuse_unk", "bpe", {"fuse_unk": True})
add("BPE without unk", "bpe", {"unk_token": None})
add("BPE suffix", "bpe", {"end_of_word_suffix": "</w>", "merges": []}, pre_tokenizer={"type": "WhitespaceSplit"},
    decoder={"type": "BPEDecoder", "suffix": "</w>"}, texts=["as bas", "a s"])  # fmt: skip
prefixed = numbered(["a", "##b", "##c", "ab", "abc"])
add("BPE prefix", "bpe", {"unk_token": None, "continuing_subword_prefix": "##", "vocab": prefixed, "merges": ["a ##b", "ab ##c"]}, texts=["abc", "acb"])
for use_regex in (False, True):
    level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": use_regex}
    add(f"ByteLevel {use_regex}", "level-bpe", {"ignore_merges": True}, pre_tokenizer=level, decoder=level,
        sequences=[[0xE4 - 33 - 35, 5], [160, 160, 5]], texts=[*TEXTS, "nose nose"])  # fmt: skip
add("ByteLevel normalizer", "level-bpe", normalizer={"type": "ByteLevel"}, decoder=level)
runs = [[0, 3 + 0xE4, 3 + 0xB8, 3 + 0xAD, 1], [3 + 0xE4, 3 + 0xB8, 0], [3 + 0x41, 3 + 0xFF], [2, 2, 0, 2], [2], []]
mark = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
add("byte fallback", "byte-bpe", sequences=runs, decoder=sequence("decoders", mark, {"type": "ByteFallback"}, {"type": "Fuse"}, strip))
add("byte fallback each", "byte-bpe", sequences=runs, decoder=sequence("decoders", {"type": "ByteFallback"}, mark, strip))
add("fuse first", "byte-bpe", sequences=runs, decoder=sequence("decoders", {"type": "Fuse"}, {"type": "Replace", "pattern": {"Regex": "▁+a"}, "content": "-"}))
add("Strip stop", "byte-bpe", sequences=[[2, 0], [0, 1, 0]], decoder=sequence("decoders", {"type": "Fuse"}, {**strip, "content": "a", "stop": 2}), texts=[])
add("no decoder", "byte-bpe", sequences=runs)
add("unigram bytes", "unigram", {"byte_fallback": True, "vocab": [*UNIGRAM["vocab"], *([b, -20.0] for b in BYTES)]}, texts=["½a😀"])
pair = {"sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}
add("BertProcessing", "wordpiece", post_processor={"type": "BertProcessing", **pair}, texts=["ab"])
add("RobertaProcessing", "wordpiece", post_processor={"type": "RobertaProcessing", "trim_offsets": True, "add_prefix_space": False, **pair}, texts=["ab"])
single = [{"SpecialToken": {"id": "x", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "x", "type_id": 0}}]
template = {"type": "TemplateProcessing", "single": single, "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"x": {"id": "x", "ids": [1, 2], "tokens": ["[CLS]", "[SEP]"]}}}  # fmt: skip
level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
add("TemplateProcessing", "wordpiece", post_processor=sequence("processors", level, template), texts=["ab", ""])

lines = [json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in entries]
print('{"models": ' + json.dumps(MODELS, ensure_ascii=False, separators=(",", ":")) + ',\n"tokenizers": [\n' + ",\n".join(lines) + "\n]}")
