// Copies what a built checkout needs to run into a folder of its own: the last step of the image's build, and what the
// tests run in a clean folder where there is no container engine.
import { cpSync, existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** `src/db` holds the migrations, which are SQL and so are not compiled. */
const PARTS = [
  "package.json",
  "LICENSE",
  "bin",
  "dist/src",
  "dist/runbooks",
  "infra/docker/entry.mjs",
  "infra/docker/health.mjs",
  "node_modules",
  "policies",
  "runbooks/catalogue.yaml",
  "src/db",
];

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const [target] = process.argv.slice(2);
if (target === undefined) {
  process.stderr.write("collect.mjs: name the folder that takes what runs\n");
  process.exit(2);
}
for (const part of PARTS) {
  const from = join(root, part);
  if (!existsSync(from)) {
    process.stderr.write(`collect.mjs: ${part} is missing: run node scripts/build.mjs first\n`);
    process.exit(1);
  }
  mkdirSync(dirname(join(target, part)), { recursive: true });
  // Links stay links: those of node_modules point to each other.
  cpSync(from, join(target, part), { recursive: true, verbatimSymlinks: true });
}
