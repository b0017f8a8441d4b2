"""Text from elsewhere made fit for one line of a terminal, an XML file or a page."""


def one_line(text: str, longest: int | None = None) -> str:
    """Return a text without line breaks and control characters, cut to a length.

    Args:
        text: any text: a path, a message of a framework.
        longest: the most characters to keep; the cut is marked.
    """
    plain = "".join(c if c.isprintable() else " " if c.isspace() else "�" for c in text)
    line = " ".join(plain.split())
    if longest is not None and len(line) > longest:
        return f"{line[: longest - 1]}…"
    return line
