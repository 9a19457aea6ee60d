/** What docs/operating.md promises for each outage is what test/runtime/away.test.ts sees, cell by cell. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FLOWS, LOST, tableLines } from "../support/outage.js";
import { ROOT } from "./source-tree.js";

test("the table of the page is the one that is tested, with all its 49 cells", () => {
  const page = readFileSync(join(ROOT, "docs", "operating.md"), "utf8");
  const section = page.split("## When something is away")[1]?.split("\n## ")[0] ?? "";
  const table = section.split("\n").filter((line) => line.startsWith("|"));
  expect(table).toEqual(tableLines());
  expect(LOST.length * FLOWS.length).toBe(49);
});
