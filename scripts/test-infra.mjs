// The infrastructure suite: fetches its Python programs, runs vitest, and says what was skipped. In strict mode
// (ALGOBRAIN_TEST_STRICT=1) a skipped test is a failure, but for those of Terraform.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pythonTools } from "./infra/python-tools.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const strict = process.env.ALGOBRAIN_TEST_STRICT === "1";
/** The one program whose absence strict mode forgives; the titles of its tests begin with this word. */
const FORGIVEN = "terraform:";

// Both at once and before any test: no test then waits for the other's installation.
const { why } = await pythonTools();
for (const [tool, reason] of Object.entries(why)) console.log(`missing: ${tool} (${reason})`);

const scratch = mkdtempSync(join(tmpdir(), "algobrain-infra-"));
const report = join(scratch, "report.json");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const args = ["run", "--config", "vitest.infra.config.ts", "--reporter=default"];
const json = ["--reporter=json", `--outputFile.json=${report}`];
const { status } = spawnSync(
  process.execPath,
  [vitest, ...args, ...json, ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: "inherit",
  },
);
const tests = readTests();
rmSync(scratch, { recursive: true, force: true });
const skipped = tests
  .filter((test) => ["pending", "skipped", "todo"].includes(test.status))
  .map(({ fullName }) => fullName);
for (const title of skipped) console.log(`skipped: ${title}`);
const refused = strict ? skipped.filter((title) => !title.startsWith(FORGIVEN)) : [];
if (refused.length > 0) {
  console.log(`strict mode: ${refused.length} tests were skipped`);
  console.log("see what is missing: node scripts/infra/python-tools.mjs");
}
process.exit(status || (refused.length > 0 ? 1 : 0));

function readTests() {
  try {
    return JSON.parse(readFileSync(report, "utf8")).testResults.flatMap(
      (file) => file.assertionResults,
    );
  } catch (error) {
    console.log(`the run left no report: ${error.message}`);
    process.exit(status || 1);
  }
}
