/** What the workflows of tests run on: a checkout that a test may edit, and a Terraform that finds the stand-in provider. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OrderedDocument } from "./ordered-documents.js";
import { localize, type TerraformSandbox } from "./terraform.js";
import type { WorkflowWorld } from "./workflow-run.js";

const ROOT = join(import.meta.dirname, "..", "..");

export interface WorkflowEstate {
  /** Machines, artifacts and states. */
  readonly scratch: string;
  readonly checkout: string;
  /** Takes a line for each call of Terraform. */
  readonly calls: string;
  readonly world: WorkflowWorld;
  /** Of a policy file, which must differ by it. */
  edit(file: string, change: (text: string) => string): void;
  commit(message: string): void;
  remove(): void;
}

export function openWorkflowEstate(
  sandbox: TerraformSandbox,
  variables: Readonly<Record<string, string>>,
): WorkflowEstate {
  const scratch = mkdtempSync(join(tmpdir(), "algobrain-workflows-"));
  const checkout = join(scratch, "checkout");
  const calls = join(scratch, "calls.log");
  const commit = (message: string) => commitAll(checkout, message);
  makeCheckout(checkout);
  commit("policies");
  makeTerraform(sandbox, scratch, calls);
  const env = {
    ...variables,
    PATH: `${join(scratch, "programs")}:${process.env.PATH}`,
    HOME: scratch,
  };
  const beforeLine = (line: string, machine: string) => keepStates(scratch, line, machine);
  return {
    ...{ scratch, checkout, calls, commit, world: { checkout, scratch, env, beforeLine } },
    edit: (file, change) => {
      const path = join(checkout, "policies/algobrain", file);
      const text = readFileSync(path, "utf8");
      if (change(text) === text) throw new Error(`${file}: the edit changes nothing`);
      writeFileSync(path, change(text));
    },
    remove: () => rmSync(scratch, { recursive: true, force: true }),
  };
}

/** Only now, as Terraform comes: what is checked before is what was synthesized, with its state in S3. */
function keepStates(scratch: string, line: string, machine: string): "skip" | "run" {
  // There is no AWS to ask: the variables say which image runs, and nothing has to be ready.
  if (/infra (running-tag|prepare)/.test(line)) return "skip";
  if (!/infra (plan|apply|heal)/.test(line)) return "run";
  for (const folder of ["proposed", "cdktf.out/stacks"].map((one) => join(machine, one)))
    localizeAll(folder, scratch);
  return "run";
}

/** Every stack in a folder, with its state in a file of `scratch`. */
export function localizeAll(folder: string, scratch: string): void {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const file = join(folder, name, "cdk.tf.json");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, JSON.stringify(localize(JSON.parse(text), scratch, name)));
  }
}

/** As an administrator would: before any workflow, from a folder of its own. */
export async function applyFirst(
  { terraform, pluginDir }: TerraformSandbox,
  { scratch }: WorkflowEstate,
  { name, document }: OrderedDocument,
): Promise<void> {
  const folder = join(scratch, "first", name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "cdk.tf.json"), JSON.stringify(localize(document, scratch, name)));
  await terraform.init(folder, { pluginDir });
  await terraform.plan(folder, { out: "plan.bin" });
  await terraform.apply(folder, "plan.bin");
}

/** The commands of this build, on policies that a test may edit. */
function makeCheckout(checkout: string): void {
  mkdirSync(join(checkout, "runbooks"), { recursive: true });
  cpSync(join(ROOT, "policies"), join(checkout, "policies"), { recursive: true });
  cpSync(join(ROOT, "runbooks/catalogue.yaml"), join(checkout, "runbooks/catalogue.yaml"));
  symlinkSync(join(ROOT, "bin"), join(checkout, "bin"));
  symlinkSync(join(ROOT, "scripts"), join(checkout, "scripts"));
  git(checkout, ["init", "--quiet"]);
}

function commitAll(checkout: string, message: string): void {
  writeFileSync(join(checkout, "note.txt"), message);
  git(checkout, ["add", "--all"]);
  const author = ["-c", "user.name=ci", "-c", "user.email=ci@example.test"];
  git(checkout, [...author, "commit", "--quiet", "--message", message]);
}

function git(checkout: string, words: readonly string[]): void {
  execFileSync("git", words, { cwd: checkout, stdio: ["ignore", "ignore", "inherit"] });
}

/** The machine's own, which finds the stand-in provider instead of a registry, and notes what it is asked. */
function makeTerraform(sandbox: TerraformSandbox, scratch: string, calls: string): void {
  const program = execFileSync("sh", ["-c", "command -v terraform"], { encoding: "utf8" }).trim();
  const config = join(scratch, "terraform.rc");
  writeFileSync(
    config,
    `provider_installation {\n  filesystem_mirror {\n    path = "${sandbox.pluginDir}"\n  }\n}\n`,
  );
  const settings = Object.entries({ ...sandbox.environment, TF_CLI_CONFIG_FILE: config });
  const exports = settings.map(([name, value]) => `export ${name}='${value}'`);
  mkdirSync(join(scratch, "programs"));
  const wrapper = join(scratch, "programs", "terraform");
  const lines = ["#!/bin/sh", ...exports, `echo "$@" >>'${calls}'`, `exec '${program}' "$@"`, ""];
  writeFileSync(wrapper, lines.join("\n"));
  chmodSync(wrapper, 0o755);
}
