/**
 * Rows as CSV (RFC 4180): commas, CRLF, quotes round what needs them. Text that a spreadsheet would take for a formula
 * gets a single quote before it (OWASP ASVS 5.0, 1.2.10): it is shown, and runs nothing.
 */

/** A null is an empty field; an empty text is a pair of quotes, so that the two stay apart. */
export type CsvCell = string | null;

const FORMULA = /^[=+\-@\t\r\0]/;
const NEEDS_QUOTES = /[",\r\n]/;

/**
 * One line with its CRLF.
 * @param isText by column; numbers and times that we wrote ourselves are none, so that -5 stays a number
 */
export function csvLine(cells: readonly CsvCell[], isText: readonly boolean[]): string {
  return `${cells.map((cell, i) => field(cell, isText[i] ?? true)).join(",")}\r\n`;
}

function field(cell: CsvCell, isText: boolean): string {
  if (cell === null) return "";
  const safe = isText && FORMULA.test(cell) ? `'${cell}` : cell;
  return safe === "" || NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
