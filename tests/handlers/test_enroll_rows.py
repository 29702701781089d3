"""Rows as they come over a wire or out of a spreadsheet: in any pieces, each read or refused by itself."""

import pytest

from cadence_contracts.enrolling import EnrollRow
from cadence_engine.handlers.enroll_rows import MOST_LINE_BYTES, AnyRow, BadHeader, Format, Row, RowReader, Unreadable

ANA = EnrollRow(contact_id="ana", context={"product": "trial", "seats": 3})
BIA = EnrollRow(contact_id="bia", lead_id="l-1", conversation_id="c-1")


def read(content: bytes, format_: Format = Format.NDJSON, piece: int = 1_000_000) -> list[AnyRow]:
    reader = RowReader(format_)
    rows = [row for at in range(0, len(content), piece) for row in reader.feed(content[at : at + piece])]
    return [*rows, *reader.end()]


@pytest.mark.parametrize("piece", [1, 2, 7, 1000])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n \n"])
def test_json_lines_in_any_pieces(piece: int, end: bytes) -> None:
    content = (
        b'\xef\xbb\xbf{"contactId": "ana", "context": {"product": "trial", "seats": 3, "left": null}}\r\n\n'
        b'{"contactId":"bia","leadId":"l-1","conversationId":"c-1"}' + end
    )
    assert read(content, piece=piece) == [Row(1, ANA), Row(3, BIA)]


@pytest.mark.parametrize("piece", [1, 1000])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_csv_as_spreadsheets_write_it(piece: int, delimiter: str) -> None:
    lines = ["\ufeffcontactId,context.product,leadId", 'ana,"trial ""big""",', ",trial,", "bia,,l-1", ""]
    content = "\r\n".join(lines).replace(",", delimiter).encode()
    assert read(content, Format.CSV, piece) == [
        Row(2, EnrollRow(contact_id="ana", context={"product": 'trial "big"'})),
        Unreadable(3, "row.contactId is missing, and required"),
        Row(4, EnrollRow(contact_id="bia", lead_id="l-1")),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "the line must be one JSON object in UTF-8"),
        (b'{"contactId": "\xff"}', "the line must be one JSON object in UTF-8"),
        (b"[]", "row must be an object"),
        (b"{}", "row.contactId is missing, and required"),
        (b'{"contactId": 7}', "row.contactId must be a string"),
        (b'{"contactId": ""}', "row.contactId must have at least 1 characters"),
        (b'{"contactId": "a\\u0000"}', "row.contactId must not hold control characters"),
        (b'{"contactId": "a", "leadID": "b"}', "row.leadID is not known here"),
        (b'{"contactId": "a", "context": {"b": []}}', "row.context.b must be true or false or must be an integer or"),
        (b'{"contactId": "a", "context": {"b": "\\u0000"}}', "row.context must not hold NUL characters"),
        (b'{"contactId": "a", "context": {"b": NaN}}', "the line must be one JSON object in UTF-8"),
        (b'{"contactId": "%s"}' % (b"a" * MOST_LINE_BYTES), "the line is longer than 65536 bytes"),
    ],
)
def test_a_bad_line_says_why_and_the_next_is_read(line: bytes, why: str) -> None:
    for piece in (1_000_000, 4096):
        bad, good = read(line + b'\n{"contactId": "ana"}\n', piece=piece)
        assert isinstance(bad, Unreadable)
        assert (bad.number, bad.why[: len(why)]) == (1, why)
        assert good == Row(2, EnrollRow(contact_id="ana"))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"ana", "the line has 1 cells, the header has 2"),
        (b'"ana,1', "the line's quotes do not close: a cell may not hold a line break"),
        (b"\xff,1", "the line must be UTF-8"),
    ],
)
def test_a_bad_line_of_csv(line: bytes, why: str) -> None:
    assert read(b"contactId,context.n\n" + line, Format.CSV) == [Unreadable(2, why)]


@pytest.mark.parametrize(
    "header",
    [b"", b"name,phone", b"contactId,context.", b"contactId,phone", b"contactId,contactId", b'"contactId', b"\xff"],
)
def test_a_header_that_says_nothing_of_use_ends_all(header: bytes) -> None:
    with pytest.raises(BadHeader, match="line 1"):
        read(header + b"\nana,1\n" if header else b"", Format.CSV)


def test_what_is_too_long_is_not_kept() -> None:
    reader = RowReader(Format.NDJSON)
    for _ in range(100):
        assert list(reader.feed(b"x" * MOST_LINE_BYTES)) == []
    assert len(reader._rest) <= MOST_LINE_BYTES + 2
    assert [type(row) for row in reader.feed(b'\n{"contactId": "ana"}\n')] == [Unreadable, Row]
