"""Bytes to text for the charset names that mail carries (RFC 2046 section 4.1.2).

Only the codecs listed here are ever asked for: a name from a message must not reach the codec
search of the interpreter, which knows transforms (zlib, punycode) besides charsets.
"""

from __future__ import annotations

import re

_LATIN = {"latin1": "cp1252", "iso88591": "cp1252", "l1": "cp1252", "cp819": "cp1252"}

_SAME_NAME = (
    "cp037 cp437 cp500 cp737 cp775 cp850 cp852 cp855 cp857 cp858 cp860 cp861 cp862 cp863 cp864 "
    "cp865 cp866 cp869 cp874 cp932 cp949 cp950 cp1006 cp1125 cp1140 cp1250 cp1251 cp1252 cp1253 "
    "cp1254 cp1255 cp1256 cp1257 cp1258 gb18030 hz johab ptcp154 utf7 utf8 utf16 utf16le utf16be "
    "utf32 utf32le utf32be"
)

# Key: the name in lower case without punctuation. Where two charsets are confused in practice
# the larger one is taken (as the WHATWG Encoding Standard does): its extra code points are
# errors in the smaller one.
_CODECS: dict[str, str] = {
    **{name: name for name in _SAME_NAME.split()},
    **_LATIN,
    "utf16le": "utf-16-le",
    "utf16be": "utf-16-be",
    "utf32le": "utf-32-le",
    "utf32be": "utf-32-be",
    "unicode11utf8": "utf-8",
    "unicode11utf7": "utf-7",
    "unicode20utf8": "utf-8",
    "cp65001": "utf-8",
    "cp65000": "utf-7",
    "windows65001": "utf-8",
    "ucs2": "utf-16",
    "iso10646ucs2": "utf-16-be",
    **{f"iso8859{n}": f"iso8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{f"latin{n}": f"iso8859-{m}" for n, m in ((2, 2), (3, 3), (4, 4), (6, 10), (7, 13))},
    "latin8": "iso8859-14",
    "latin9": "iso8859-15",
    "latin10": "iso8859-16",
    "iso88599": "cp1254",
    "latin5": "cp1254",
    "iso885911": "cp874",
    "tis620": "cp874",
    "windows874": "cp874",
    "iso88596i": "iso8859-6",
    "iso88596e": "iso8859-6",
    "iso88598i": "iso8859-8",
    "iso88598e": "iso8859-8",
    **{f"windows{n}": f"cp{n}" for n in range(1250, 1259)},
    **{f"xcp{n}": f"cp{n}" for n in range(1250, 1259)},
    **{f"ibm{n}": f"cp{n}" for n in (437, 500, 737, 775, 850, 852, 855, 857, 862, 866, 869)},
    "dos866": "cp866",
    "dos850": "cp850",
    "macintosh": "mac-roman",
    "mac": "mac-roman",
    "macroman": "mac-roman",
    "xmacroman": "mac-roman",
    "xmaccyrillic": "mac-cyrillic",
    "xmacgreek": "mac-greek",
    "xmacturkish": "mac-turkish",
    "xmacce": "mac-latin2",
    "koi8": "koi8-r",
    "koi8r": "koi8-r",
    "koi8u": "koi8-u",
    "koi8ru": "koi8-u",
    "koi8t": "koi8-t",
    "gb2312": "gb18030",
    "gb231280": "gb18030",
    "csgb2312": "gb18030",
    "euccn": "gb18030",
    "gbk": "gb18030",
    "xgbk": "gb18030",
    "cp936": "gb18030",
    "windows936": "gb18030",
    "chinese": "gb18030",
    "hzgb2312": "hz",
    "big5": "big5hkscs",
    "cnbig5": "big5hkscs",
    "xxbig5": "big5hkscs",
    "big5hkscs": "big5hkscs",
    "shiftjis": "cp932",
    "sjis": "cp932",
    "xsjis": "cp932",
    "mskanji": "cp932",
    "windows31j": "cp932",
    "windows932": "cp932",
    "eucjp": "euc-jp",
    "xeucjp": "euc-jp",
    "ujis": "euc-jp",
    "iso2022jp": "iso2022_jp_2",
    "iso2022jp1": "iso2022_jp_1",
    "iso2022jp2": "iso2022_jp_2",
    "iso2022jp3": "iso2022_jp_3",
    "iso2022jpext": "iso2022_jp_ext",
    "csiso2022jp": "iso2022_jp_2",
    "iso2022kr": "iso2022_kr",
    "euckr": "cp949",
    "ksc56011987": "cp949",
    "ksc5601": "cp949",
    "ksc56011989": "cp949",
    "ks5601": "cp949",
    "uhc": "cp949",
    "windows949": "cp949",
    "viscii": "cp1258",
    "georgianps": "cp1252",
}
_PUNCTUATION = re.compile(r"[^a-z0-9]+")
_MAX_NAME = 64


def codec(charset: str) -> str | None:
    """Return the Python codec for a charset name, None for US-ASCII and for unknown names."""
    if len(charset) > _MAX_NAME:
        return None
    key = _PUNCTUATION.sub("", charset.lower())
    found = _CODECS.get(key)
    if found is None and key.startswith("cs"):  # the IANA registry's printable aliases
        found = _CODECS.get(key[2:])
    return found


def decode(data: bytes, charset: str = "", hint: str = "") -> str:
    """Return `data` as text. Never raises, and the text has no lone surrogates.

    US-ASCII, no name and an unknown name give UTF-8 where the octets are UTF-8, else the
    charset `hint`, else windows-1252, which is what unlabelled 8-bit mail is most often in.
    """
    name = codec(charset)
    if name is None:
        return guess(data, hint)
    try:
        text = data.decode(name)
    except UnicodeError:
        # A wrong label is more common than broken text, so UTF-8 is tried before loss.
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode(name, "replace")
    # UTF-7 can spell a lone surrogate, which no other encoder accepts.
    return text if name != "utf7" else text.encode("utf-8", "replace").decode("utf-8")


def guess(data: bytes, hint: str = "") -> str:
    """Return text for octets that name no usable charset: UTF-8, `hint`, windows-1252."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        name = codec(hint)
    if name is not None and name != "utf7":
        try:
            return data.decode(name)
        except UnicodeError:
            pass
    return data.decode("cp1252", "replace")
