// Compiles src/ and runbooks/ to dist/, writes down who wrote the runbooks, and compiles stacks/ where the CDKTF
// library (a development dependency) is installed: `npm ci --omit=dev` must still give a program that runs.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeRunbookAuthors } from "./runbook-authors.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tsc = join(
  dirname(createRequire(import.meta.url).resolve("typescript/package.json")),
  "bin",
  "tsc",
);

function compile(project) {
  const { status } = spawnSync(process.execPath, [tsc, "-p", join(root, project)], {
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}

compile("tsconfig.build.json");
writeRunbookAuthors(root, join(root, "dist"));
if (existsSync(join(root, "node_modules", "cdktf"))) compile("tsconfig.stacks.json");
