/** Who may know whom (design 4). Types count: a circle of types is still a circle in the reader's head. */
import { readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findCircles, findForeignLibraries, findWrongArrows } from "./rooms.js";
import {
  formatFindings,
  ROOT,
  resolveImport,
  type SourceFile,
  sourceFile,
  sourceFiles,
} from "./source-tree.js";

const product = sourceFiles().filter(({ path }) => /^(src|stacks|runbooks)\//.test(path));

test("arrows point down", () => {
  expect(formatFindings(product.flatMap(findWrongArrows))).toBe("");
});

test("there is no circle of files, types included", () => {
  const circles = findCircles(product).map((members) => members.join(" ↔ "));
  expect(circles).toEqual([]);
});

test("each library has one owner", () => {
  expect(formatFindings(product.flatMap(findForeignLibraries))).toBe("");
});

test("a worker process loads no web server, nobody a client before it speaks to the other side, and typebox nobody", () => {
  const loaded = loadedFrom("src/main.ts", product);
  expect(loaded).toContain("src/adapter/github.ts");
  expect(loaded).toContain("pg");
  const heavy = /^(@?fastify|jose|typebox|@(octokit|aws-sdk|slack|pagerduty))(\/|$)/;
  expect(
    loaded.filter((one) => heavy.test(one)),
    "import it late: await import(…); of typebox only types, and Type from src/base/type.ts",
  ).toEqual([]);
});

test("a check of policies loads what parses YAML and schedules, and nothing else of others", () => {
  const loaded = ["src/cli.ts", "src/cli/policy.ts", "src/cli/policy/check.ts"].flatMap((start) =>
    loadedFrom(start, product),
  );
  const foreign = loaded.filter((one) => !/^(src\/|node:)/.test(one));
  expect([...new Set(foreign)].sort(), "each costs every call its time").toEqual([
    "croner",
    "js-yaml",
  ]);
});

test.each([
  ...["src/policy/schema.ts", "src/job/payloads.ts", "src/workload/payloads.ts"],
  "src/runtime/handler/system-kinds.ts",
])("to write schemas down, %s loads nothing that compiles them", (path) => {
  expect(loadedFrom(path, product), "what both need is in src/base/type.ts").not.toContain("ajv");
});

/** Files and libraries that are there once a file is imported: ten megabytes a worker are much. */
function loadedFrom(start: string, files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  // Grows while it is walked.
  const found = new Set([start]);
  for (const path of found) {
    for (const { specifier, typeOnly, late } of byPath.get(path)?.imports ?? [])
      if (!typeOnly && !late) found.add(resolveImport(path, specifier) ?? specifier);
  }
  return [...found];
}

test("what runs in production is a dependency, not a development dependency", () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const installed = new Set([...Object.keys(manifest.dependencies), ...builtinModules]);
  const findings = product
    .filter(({ room }) => room !== "stacks")
    .flatMap(({ path, imports }) =>
      imports
        .filter(({ specifier }) => !/^(\.|#|node:)/.test(specifier))
        .filter(({ specifier }) => !installed.has(packageOf(specifier)))
        .map(({ specifier, line }) => ({
          path,
          line,
          rule: `"${specifier}" is not among the dependencies in package.json`,
          instead: "add it there with a reason, or do without it",
        })),
    );
  expect(formatFindings(findings)).toBe("");
});

function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

describe("the rules find what they are for", () => {
  const rulesOf = (path: string, text: string) => findWrongArrows(sourceFile(path, text));
  const librariesOf = (path: string, text: string) => findForeignLibraries(sourceFile(path, text));

  test.each([
    ["a core room that reads the store", "src/alert/a.ts", 'import { q } from "../store/jobs.js";'],
    ["a type that points up", "src/base/a.ts", 'import type { P } from "../policy/policy.js";'],
    [
      "the workload past its plug",
      "src/main/kinds.ts",
      'import { K } from "../workload/payloads.js";',
    ],
    ["rooms of one level", "src/web/a.ts", 'import { x } from "../bot/b.js";'],
    [
      "an import that is spread over lines",
      "src/job/a.ts",
      'import {\n  a,\n  b,\n} from "../alert/x.js";',
    ],
    ["a late import", "src/job/a.ts", 'const x = await import("../alert/x.js");'],
    ["the type of an import", "src/job/a.ts", 'type X = import("../alert/x.js").X;'],
    [
      "a value of policy in an adapter",
      "src/adapter/a.ts",
      'import { x } from "../policy/policy.js";',
    ],
    [
      "a test helper in the product",
      "src/base/a.ts",
      'import { u } from "../../test/support/until.js";',
    ],
    ["a room that nobody planned", "src/util/a.ts", 'import { x } from "../base/fault.js";'],
  ])("%s", (_what, path, text) => {
    expect(rulesOf(path, text)).toHaveLength(1);
  });

  test("comments, texts and allowed arrows are no findings", () => {
    const text = `
      // import { q } from "../store/jobs.js";
      const words = 'import { q } from "../store/jobs.js"';
      import type { Receiver } from "../policy/policy.js";
      import { fault } from "../base/fault.js";
      import { same } from "./same.js";`;
    expect(rulesOf("src/adapter/a.ts", text)).toEqual([]);
  });

  test("a library outside its owner, and CDKTF past its door", () => {
    expect(librariesOf("src/web/a.ts", 'import pg from "pg";')).toHaveLength(1);
    expect(librariesOf("src/web/a.ts", 'import { App } from "#cdk";')).toHaveLength(1);
    expect(librariesOf("stacks/a.ts", 'import { App } from "cdktf";')).toHaveLength(1);
    expect(librariesOf("stacks/a.ts", 'import { App } from "#cdk";')).toEqual([]);
  });

  test("what is loaded at the start, over files, and not what is imported late or as a type", () => {
    const files = [
      sourceFile("src/main.ts", 'import "./a/b.js";\nimport type { T } from "@octokit/rest";'),
      sourceFile("src/a/b.ts", 'export { x } from "pg";\nconst y = await import("@aws-sdk/x");'),
    ];
    expect(loadedFrom("src/main.ts", files)).toEqual(["src/main.ts", "src/a/b.ts", "pg"]);
  });

  test("a circle of types over three files", () => {
    const file = (name: string, next: string): SourceFile =>
      sourceFile(`src/job/${name}.ts`, `import type { T } from "./${next}.js";`);
    const circles = findCircles([file("a", "b"), file("b", "c"), file("c", "a"), file("d", "a")]);
    expect(circles).toEqual([["src/job/a.ts", "src/job/b.ts", "src/job/c.ts"]]);
  });
});
