/** The committed bin, before there is a program for it to start. */
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Answer, program, ROOT } from "./support.js";

let checkout: string;
beforeEach(async () => {
  checkout = await mkdtemp(join(tmpdir(), "algobrain-bin-"));
  for (const part of ["bin", "package.json"])
    await cp(join(ROOT, part), join(checkout, part), { recursive: true });
});
afterEach(() => rm(checkout, { recursive: true }));

function start(...args: string[]): Promise<Answer> {
  return program(process.execPath, [join(checkout, "bin/algobrain.js"), ...args]);
}

async function writeProgram(text: string): Promise<void> {
  await mkdir(join(checkout, "dist/src"), { recursive: true });
  await writeFile(join(checkout, "dist/src/cli.js"), text);
}

test("a clone that is not built yet says what to run", async () => {
  expect(await start("serve")).toEqual({
    ...{ code: 1, out: "" },
    err: 'algobrain: it is not built yet: run "npm ci" in the checkout\n',
  });
});

test("a library that is missing is named, with what to run", async () => {
  await writeProgram('import "frobnicate-library";\nexport const runCli = async () => 0;\n');
  const { code, err } = await start("serve");
  expect(code).toBe(1);
  expect(err).toMatch(
    /^algobrain: a part of it is missing: run "npm ci" in the checkout \(.*frobnicate-library.*\)\n$/,
  );
});

test("the exit code is the program's word, and it gets the words as they were typed", async () => {
  await writeProgram(
    "export const runCli = async (args) => { console.log(JSON.stringify(args)); return 7; };\n",
  );
  expect(await start("a", "b c", "--d")).toEqual({ code: 7, out: '["a","b c","--d"]\n', err: "" });
});
