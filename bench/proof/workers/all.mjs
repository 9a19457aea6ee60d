// Every proof of the workers, one after the other, and what each said: `npm run proof:workers` (about twenty minutes).
//
//   npm run proof:workers -- kill gc        some of them
import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const ALL = ["identity", "sources", "gc", "export", "hostile", "github-limits", "backfill", "kill"];

const unknown = process.argv.slice(2).filter((name) => !ALL.includes(name));
if (unknown.length > 0) {
  console.error(`found ${unknown.join(", ")}, expected some of ${ALL.join(", ")}`);
  process.exit(2);
}
const chosen = process.argv.length > 2 ? process.argv.slice(2) : ALL;
const failed = [];
for (const name of chosen) {
  console.log(`\n${name}`);
  const proof = spawn(process.execPath, [join(here, `${name}.mjs`)], { stdio: "inherit" });
  const [code] = await once(proof, "exit");
  if (code !== 0) failed.push(name);
}
console.log(failed.length === 0 ? "\nall bars are met" : `\nnot met: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
