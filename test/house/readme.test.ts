/** The README is a contract: what it names exists. Its outputs were printed by the program; its commands are the bin's. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { COMMAND_NAMES } from "../../src/cli.js";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const PAGES = ["README.md", "docs/operating.md", "docs/gitops.md", "docs/architecture.md"];
const pages = PAGES.map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));

describe.each(pages)("$path", ({ path, text }) => {
  test("names only commands that the bin has", () => {
    const named = [...text.matchAll(/(?:npx algobrain|`algobrain) ([a-z-]+)/g)].map(
      ([, name]) => name!,
    );
    const known = new Set(COMMAND_NAMES);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  test("names only npm scripts that exist", () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      scripts: object;
    };
    const named = [...text.matchAll(/npm run ([a-z:]+)/g)].map(([, name]) => name!);
    expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });

  test("links only to files that exist", () => {
    const linked = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target]) => target!);
    expect(linked.filter((target) => !existsSync(join(ROOT, dirname(path), target)))).toEqual([]);
  });

  test("names only files of the repository", () => {
    const named = [
      ...text.matchAll(/`((?:src|runbooks|stacks|policies|docs|test|scripts)\/[\w./-]+)`/g),
    ].map(([, it]) => it!);
    expect(
      named.filter(
        (it) =>
          !it.includes("*") && !existsSync(join(ROOT, it)) && !existsSync(join(ROOT, `${it}.ts`)),
      ),
    ).toEqual([]);
  });
});
