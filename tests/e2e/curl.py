"""What the documentation asks of curl, for a machine that has none."""

from __future__ import annotations

import argparse
import sys
import urllib.error
import urllib.request
from pathlib import Path
from smtplib import SMTP
from urllib.parse import urlsplit


def main() -> None:
    """Do one request."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-S", action="store_true")
    parser.add_argument("-N", action="store_true")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="data")
    parser.add_argument("--max-time", type=float)
    parser.add_argument("--mail-from")
    parser.add_argument("--mail-rcpt", action="append")
    parser.add_argument("--upload-file")
    given = parser.parse_args()
    where = urlsplit(given.url)
    if where.scheme == "smtp":
        upload = given.upload_file
        raw = sys.stdin.buffer.read() if upload == "-" else Path(upload).read_bytes()
        with SMTP(where.hostname or "", where.port or 25) as smtp:
            smtp.sendmail(given.mail_from, given.mail_rcpt, raw)
        return
    headers = dict(h.split(": ", 1) for h in given.headers)
    data = None if given.data is None else given.data.encode()
    request = urllib.request.Request(given.url, data, headers, method=given.method)
    try:
        with urllib.request.urlopen(request, timeout=given.max_time) as answer:
            while chunk := answer.read1(65536):
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
    except urllib.error.HTTPError as refused:
        sys.stdout.buffer.write(refused.read())
    except TimeoutError:
        sys.exit(28)


if __name__ == "__main__":
    main()
