/** docs/errors.md lists the HTTP problems as they are; that it lists all faults, test/house/docs checks. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { PROBLEMS } from "../../src/web/problem.js";

const DOCUMENT = readFileSync(join(import.meta.dirname, "../../docs/errors.md"), "utf8");
const ROW = /^\| `([a-z-]+)` \| (\d{3}) \| ([^|]+) \|/gm;

it("docs/errors.md lists each HTTP problem with its status and title, and none that does not exist", () => {
  const rows = [...DOCUMENT.matchAll(ROW)].map(([, code, status, title]) => [
    code,
    Number(status),
    title?.trim(),
  ]);
  const real = Object.entries(PROBLEMS).map(([code, { status, title }]) => [code, status, title]);
  expect(rows.sort()).toEqual(real.sort());
});
