/** Core rooms are pure, and the repository keeps its habits. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  CORE_HABITS,
  findBreaches,
  findHandedOn,
  findIndexFiles,
  findInText,
  findLength,
  findOutsideModules,
  HABITS,
} from "./habits.js";
import { formatFindings, listFiles, ROOT, sourceFile, sourceFiles } from "./source-tree.js";

const files = sourceFiles();

describe("core rooms", () => {
  test.each(CORE_HABITS)("$rule", (habit) => {
    expect(formatFindings(files.flatMap((file) => findBreaches(file, habit)))).toBe("");
  });

  test("import nothing that reaches outside", () => {
    expect(formatFindings(files.flatMap(findOutsideModules))).toBe("");
  });
});

describe("everywhere", () => {
  test.each(HABITS)("$rule", (habit) => {
    expect(formatFindings(files.flatMap((file) => findBreaches(file, habit)))).toBe("");
  });

  test("no file hands on what it imported", () => {
    expect(formatFindings(files.flatMap(findHandedOn))).toBe("");
  });

  test("files stay short enough to have one noun", () => {
    expect(formatFindings(files.flatMap(findLength))).toBe("");
  });

  test("there is no index file", () => {
    expect(formatFindings(files.flatMap(findIndexFiles))).toBe("");
  });

  test("nothing is silenced, and no reminder is left behind", () => {
    const texts = ["docs", "policies", ".github", "bench", "infra"]
      .flatMap((folder) => listFiles(folder))
      .filter((path) => /\.(md|ya?ml|sql)$/.test(path))
      .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
    const findings = [...files, ...texts].flatMap(({ path, text }) => findInText(path, text));
    expect(formatFindings(findings)).toBe("");
  });
});

describe("the habits find what they are for", () => {
  const breaches = (path: string, text: string) =>
    [...CORE_HABITS, ...HABITS].flatMap((habit) => findBreaches(sourceFile(path, text), habit));

  test.each([
    ["src/alert/a.ts", "const now = Date.now();"],
    ["src/alert/a.ts", "const now = new Date();"],
    ["src/job/a.ts", "const id = randomUUID();"],
    ["src/review/a.ts", 'await fetch("http://x");'],
    ["src/web/a.ts", "const home = process.env.HOME;"],
    ["src/store/a.ts", 'export * from "./b.js";'],
    ["src/store/a.ts", 'export { x } from "./b.js";'],
    ["src/store/a.ts", "export default 1;"],
    ["src/store/a.ts", 'const pg = require("pg");'],
    ["src/store/a.ts", 'import pg = require("pg");'],
    ["src/job/a.ts", "const x = await import(path);"],
    ["src/job/a.ts", "const x = await import(`../store/$" + "{name}.js`);"],
    ["src/store/a.ts", "let x: any = 1;"],
    ["src/store/a.ts", "const x = y as any;"],
    ["src/store/a.ts", "const x: Record<string, any> = {};"],
    ["src/job/a.ts", "function read<S extends TSchema>(schema: S): Box<Static<S>> {}"],
    ["test/job/a.test.ts", "await clock.sleep(50);"],
    ["test/job/a.test.ts", "setTimeout(done, 50);"],
    ["src/web/a.ts", "try { f(); } catch {}"],
    ["src/web/a.ts", "await f().catch(() => {});"],
    ["src/web/a.ts", 'console.log("x");'],
  ])("%s: %s", (path, text) => {
    expect(breaches(path, text)).toHaveLength(1);
  });

  test.each([
    ["src/alert/a.ts", "const at = new Date(ms); // never Date.now()"],
    ["src/alert/a.ts", 'const text = "Math.random()";'],
    ["src/alert/a.ts", "const text = `process.env $" + "{name}`;"],
    ["src/store/a.ts", "// any comment may say any"],
    ["src/store/a.ts", "const done = Promise.any(all); const any = 1;"],
    ["src/store/a.ts", "const pattern = /: any/; const half = a / b;"],
    ["src/job/a.ts", "type Given<S extends TSchema> = NoInfer<Static<S>>;"],
    ["src/job/a.ts", "type Given = Static<typeof Payload>;"],
    ["runbooks/a.ts", "export default defineRunbook({});"],
    ["src/web/a.ts", "try { f(); } catch { /* the file is optional */ }"],
  ])("%s is fine: %s", (path, text) => {
    expect(breaches(path, text)).toEqual([]);
  });

  test.each(["export { a };", "export type { a };", "export const b = a;", "export type B = a;"])(
    "an imported name that is handed on: %s",
    (line) => {
      const text = `import { a, type c } from "./b.js";\n${line}`;
      expect(findHandedOn(sourceFile("src/store/a.ts", text))).toHaveLength(1);
      expect(findHandedOn(sourceFile("src/store/a.ts", "export const b = a;"))).toEqual([]);
    },
  );

  test("reminders and silenced checks are found in comments", () => {
    const word = "TO" + "DO";
    expect(findInText("a.ts", `// ${word}: later`)).toHaveLength(1);
    expect(findInText("a.ts", "// @ts-" + "ignore")).toHaveLength(1);
    expect(findInText("a.ts", "// biome-" + "ignore lint/x/y: it is a fixture")).toEqual([]);
  });
});
