// The peers' suite: job runtimes handle each job once, alert engines agree with ours. Says what was skipped, and in
// strict mode (ALGOBRAIN_TEST_STRICT=1) a skipped comparison is a failure.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const strict = process.env.ALGOBRAIN_TEST_STRICT === "1";
const run = (args) =>
  spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status ?? 1;

const queue = run([join(root, "bench", "queue", "check.mjs")]);
const scratch = mkdtempSync(join(tmpdir(), "algobrain-peers-"));
const report = join(scratch, "report.json");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const alerts = run([
  ...[vitest, "run", "--config", "vitest.peers.config.ts", "--reporter=default"],
  ...["--reporter=json", `--outputFile.json=${report}`, ...process.argv.slice(2)],
]);
const results = JSON.parse(readFileSync(report, "utf8")).testResults;
rmSync(scratch, { recursive: true, force: true });
const skipped = results
  .flatMap((file) => file.assertionResults)
  .filter(({ status }) => ["pending", "skipped", "todo"].includes(status))
  .map(({ fullName }) => fullName);
for (const title of skipped) console.log(`skipped: ${title}`);
const isRefused = strict && skipped.length > 0;
if (isRefused) console.log(`strict mode: ${skipped.length} comparisons were skipped`);
process.exit(queue || alerts || (isRefused ? 1 : 0));
