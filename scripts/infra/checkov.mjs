// Runs checkov on synthesized stacks, and holds its findings against our exceptions (stacks/checkov-skips.ts).
// checkov reports "0 failed" of a file that it could not read, so files that were not judged are told apart here.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** 6 s on an idle machine for eight stacks of two environments. */
const DEADLINE_MS = 170_000;
const REPORT_MAX_BYTES = 64 * 1024 * 1024;
/** No rules from its maker's service, no results to it: the run knows no network. */
const ARGS = ["--framework", "terraform_json", "--compact", "--skip-download"];

/** Its reader dies of `terraform.required_version`, and then says that all is well (bridgecrewio/checkov#7454). */
function textOf({ terraform: _, ...document }) {
  return JSON.stringify(document, null, 1);
}

/** `documents` by stack name; the report as checkov writes it. */
export function runCheckov(program, documents) {
  const folder = mkdtempSync(join(tmpdir(), "algobrain-checkov-"));
  try {
    for (const [name, document] of Object.entries(documents)) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "cdk.tf.json"), textOf(document));
    }
    const { stdout, stderr, error } = spawnSync(program, ["-d", folder, ...ARGS, "-o", "json"], {
      encoding: "utf8",
      timeout: DEADLINE_MS,
      maxBuffer: REPORT_MAX_BYTES,
      // Its own greeting and colours are nothing for a reader of JSON.
      env: {
        PATH: process.env.PATH,
        HOME: folder,
        LOG_LEVEL: "WARNING",
        ANSI_COLORS_DISABLED: "1",
      },
    });
    if (error) throw error;
    return readReport(stdout, stderr);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(stdout, stderr) {
  try {
    return JSON.parse(stdout);
  } catch {
    throw new Error(
      `checkov wrote no report: ${stderr.trim().slice(-500) || stdout.slice(0, 500)}`,
    );
  }
}

/**
 * What is left when the exceptions are taken out (`failed`), the exceptions that took nothing out (`idle`), how many
 * files checkov could not read (`broken`), and how many rules each stack passed (`passed`, by its name).
 */
export function judgeReport(report, documents, skips) {
  const used = new Set();
  const found = report.results.failed_checks.map((check) => readCheck(documents, check));
  const failed = found.filter((one) => {
    const skip = skips.find((row) => covers(row, one));
    if (skip) used.add(skip);
    return skip === undefined;
  });
  const passed = Object.fromEntries(Object.keys(documents).map((name) => [name, 0]));
  for (const check of report.results.passed_checks) passed[stackOf(check)] += 1;
  const idle = skips.filter((skip) => !used.has(skip));
  return { failed, idle, passed, broken: report.summary.parsing_errors };
}

const stackOf = ({ file_path }) => file_path.split("/")[1];

function readCheck(documents, check) {
  const { check_id, check_name } = check;
  const stack = stackOf(check);
  return { check: check_id, rule: check_name, stack, address: addressOf(check, documents[stack]) };
}

/** Of Terraform JSON checkov says most resources without their type, as `resource.<name>`: the lines above have it. */
function addressOf({ resource, file_line_range }, document) {
  const name = resource.split(".").at(-1);
  if (!resource.startsWith("resource.")) return resource;
  const above = textOf(document).split("\n").slice(0, file_line_range[0]);
  const type = above.findLast((line) => /^ {2}"\w+": \{$/.test(line));
  return `${type?.trim().split('"')[1]}.${name}`;
}

function covers({ check, address }, found) {
  if (check !== found.check) return false;
  return address.endsWith(".*")
    ? found.address.startsWith(address.slice(0, -1))
    : found.address === address;
}
