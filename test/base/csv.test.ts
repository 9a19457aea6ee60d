/** CSV that any reader takes apart into the same fields, and that runs nothing in a spreadsheet. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type CsvCell, csvLine } from "../../src/base/csv.js";

test.each<[string, CsvCell, string]>([
  ["plain", "a b", "a b"],
  ["nothing is empty", null, ""],
  ["an empty text is not nothing", "", '""'],
  ["a comma", "a,b", '"a,b"'],
  ["a quote", 'say "hi"', '"say ""hi"""'],
  ["a line break", "a\nb", '"a\nb"'],
  ["JSON", '{"a": 1}', '"{""a"": 1}"'],
  ["a formula", '=HYPERLINK("x")', `"'=HYPERLINK(""x"")"`],
  ["a sum", "+1", "'+1"],
  ["a difference", "-1+1", "'-1+1"],
  ["an at sign", "@SUM(A1)", "'@SUM(A1)"],
  ["a tab", "\t=1", "'\t=1"],
  ["a carriage return", "\r=1", `"'\r=1"`],
  ["a formula sign inside is none", "a=b", "a=b"],
])("%s", (_, cell, written) => {
  expect(csvLine([cell], [true])).toBe(`${written}\r\n`);
});

test("a number keeps its sign", () => {
  expect(csvLine(["-5", "-5"], [false, true])).toBe("-5,'-5\r\n");
});

test("every reader finds the same fields again", () => {
  const cell = fc.oneof(fc.constant(null), fc.string({ unit: fc.constantFrom(..."a,\"\r\n 'ü") }));
  fc.assert(
    fc.property(
      fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { maxLength: 5 }),
      (rows) => {
        const text = rows
          .map((row) =>
            csvLine(
              row,
              row.map(() => false),
            ),
          )
          .join("");
        expect(parse(text)).toEqual(rows);
      },
    ),
  );
});

/** By RFC 4180, letter by letter; knows of our code nothing. */
function parse(text: string): CsvCell[][] {
  const rows: CsvCell[][] = [];
  let row: CsvCell[] = [];
  for (let at = 0; at < text.length; ) {
    const [whole, quoted, plain, end] = /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/.exec(
      text.slice(at),
    )!;
    at += whole.length;
    row.push(quoted !== undefined ? quoted.replaceAll('""', '"') : plain || null);
    if (end === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}
