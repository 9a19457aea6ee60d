/** The workload is removable: the program builds and loads without it, and knows the other kinds still. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "./source-tree.js";

const run = promisify(execFile);

/** What a system without work of its own has in this place. */
const EMPTY = `export const WORKLOAD = {
  kinds: [],
  createHandlers: (_: object) => [],
  warmCache: async (_: object, _limit: number) => ({ entries: 0, kept: 0 }),
};`;
/** With what was built and what the compiler knows of it: it looks only at what is another without the workload. */
const KEPT = [
  "src",
  "runbooks",
  "dist",
  "package.json",
  "tsconfig.base.json",
  "tsconfig.build.json",
];

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "algobrain-without-workload-"));
  for (const path of KEPT) await cp(join(ROOT, path), join(folder, path), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  for (const tree of ["src", "dist/src"])
    await rm(join(folder, tree, "workload"), { recursive: true });
  await writeFile(join(folder, "src/main/workload.ts"), EMPTY);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("main builds without workload/, and its registry has all other kinds", async () => {
  expect(await compile()).toBe("");
  const script = `
    await import("./dist/src/main.js");
    const { createRegistry } = await import("./dist/src/main/kinds.js");
    console.log(createRegistry().names().sort().join(" "));`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], {
    cwd: folder,
  });
  expect(stdout.trim()).toBe("alert audit export gc inbound maintenance notice runbook");
}, 120_000);

/** What the compiler complains of; nothing when it built. */
async function compile(): Promise<string> {
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  // The libraries are then where the compiler found them when it built.
  const argv = ["-p", "tsconfig.build.json", "--preserveSymlinks"];
  return run(tsc, argv, { cwd: folder }).then(
    ({ stdout }) => stdout,
    (failure: { stdout: string }) => failure.stdout,
  );
}
