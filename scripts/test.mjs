// The one test command: builds, runs vitest, and says at the end what was skipped and why it matters.
// ALGOBRAIN_TEST_STRICT=1 (used by .ci/run) turns a skipped test into a failure, but for Terraform's.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const strict = process.env.ALGOBRAIN_TEST_STRICT === "1";
/** The one service whose absence strict mode forgives; the title of its tests begins with this word. */
const FORGIVEN = "terraform:";

function run(command, args) {
  return spawnSync(command, args, { cwd: root, stdio: "inherit" }).status ?? 1;
}

function skippedTitles(report) {
  return report.testResults
    .flatMap((file) => file.assertionResults)
    .filter(
      (test) => test.status === "pending" || test.status === "skipped" || test.status === "todo",
    )
    .map((test) => test.fullName);
}

if (run(process.execPath, [join(root, "scripts", "build.mjs")]) !== 0) {
  console.log("the build failed, so no test ran");
  console.log("0 passed, 1 failed");
  process.exit(1);
}

const scratch = mkdtempSync(join(tmpdir(), "algobrain-test-"));
const reportFile = join(scratch, "report.json");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const args = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`];
let status = run(process.execPath, [vitest, ...args, ...process.argv.slice(2)]);

try {
  const report = JSON.parse(readFileSync(reportFile, "utf8"));
  const skipped = skippedTitles(report);
  for (const title of skipped) console.log(`skipped: ${title}`);
  const refused = strict ? skipped.filter((title) => !title.startsWith(FORGIVEN)) : [];
  if (refused.length > 0) {
    console.log(
      `strict mode: ${refused.length} tests were skipped because something they need is missing`,
    );
    status ||= 1;
  }
  const failed = report.numFailedTests + (status !== 0 && report.numFailedTests === 0 ? 1 : 0);
  console.log(`${report.numPassedTests} passed, ${failed} failed, ${skipped.length} skipped`);
} catch (error) {
  console.log(`the test run left no report: ${error instanceof Error ? error.message : error}`);
  console.log("0 passed, 1 failed");
  status ||= 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
process.exit(status);
