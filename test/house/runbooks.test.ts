/** What every runbook owes the person who starts it at night: what it touches, the way back, a page, a test. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "js-yaml";
import { beforeAll, describe, expect, test } from "vitest";
import { loadRunbooks } from "../../src/main/runbooks.js";
import type { Runbook } from "../../src/runbook/define.js";
import { TOUCHES_NOTHING } from "../../src/runbook/power.js";
import { type CatalogueEntry, renderIndex, renderPage } from "./runbook-page.js";
import { ROOT } from "./source-tree.js";

const PAGES = join(ROOT, "docs", "runbooks");
const catalogue = load(readFileSync(join(ROOT, "runbooks", "catalogue.yaml"), "utf8")) as Record<
  string,
  CatalogueEntry
>;
const tests = readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })
  .filter((path) => /^(runbooks|flow)\/.*\.test\.ts$/.test(path))
  .map((path) => readFileSync(join(ROOT, "test", path), "utf8"));

let runbooks: readonly Runbook[] = [];
beforeAll(async () => {
  runbooks = (await loadRunbooks()).list().map(({ runbook }) => runbook);
});

/** Their names, so that a failure says which. */
const namesOf = (isWrong: (runbook: Runbook) => boolean) =>
  runbooks.filter(isWrong).map(({ name }) => name);

describe("every runbook", () => {
  test("is built in the catalogue with its danger, and no other is", () => {
    const built = Object.entries(catalogue).filter(([, { status }]) => status === "built");
    const inWords = ([name, { danger }]: readonly [string, { readonly danger: string }]) =>
      `${name} ${danger}`;
    expect(runbooks.map((it) => inWords([it.name, it])).sort()).toEqual(built.map(inWords).sort());
  });

  test("names what it touches", () => {
    expect(namesOf(({ touches }) => touches === TOUCHES_NOTHING)).toEqual([]);
  });

  test("says of each step that changes something how it is taken back, or why it never is", () => {
    const steps = runbooks.flatMap(({ name, danger, steps }) =>
      danger === "R"
        ? []
        : steps.filter(({ undo }) => !undo).map((step) => `${name}: ${step.name}`),
    );
    expect(steps).toEqual([]);
  });

  test("that changes something looks whether it helped, and says what to type next", () => {
    expect(namesOf(({ danger, verify }) => danger !== "R" && verify === undefined)).toEqual([]);
  });

  test("has a guide and a test that names it", () => {
    expect(namesOf(({ guide }) => guide === undefined)).toEqual([]);
    const isTested = (name: string) => tests.some((text) => text.includes(`"${name}"`));
    expect(namesOf(({ name }) => !isTested(name))).toEqual([]);
  });
});

describe("docs/runbooks", () => {
  test("is what the definitions say (npx vitest run test/house/runbooks -u writes it)", async () => {
    for (const runbook of runbooks)
      await expect(renderPage(runbook, catalogue[runbook.name]!)).toMatchFileSnapshot(
        join(PAGES, `${runbook.name}.md`),
      );
    const entries = runbooks.map((it) => [it, catalogue[it.name]!] as const);
    await expect(renderIndex(entries)).toMatchFileSnapshot(join(PAGES, "README.md"));
  });

  test("has no page of a runbook that is gone", () => {
    const pages = readdirSync(PAGES).filter((name) => name !== "README.md");
    expect(pages.sort()).toEqual(runbooks.map(({ name }) => `${name}.md`).sort());
  });
});
