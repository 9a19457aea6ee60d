/**
 * Runs the jobs of a workflow of ours as GitHub would: each on a machine of its own, which sees a checkout and what it
 * downloads and nothing else. Of the actions only those of artifacts do anything; what `run` says is run, word for word.
 */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { load } from "js-yaml";
import { isJsonObject, type Json, type JsonObject } from "../../src/base/json.js";

const ROOT = join(import.meta.dirname, "..", "..");
const LINE_MS = 120_000;

export interface WorkflowWorld {
  /** What a checkout gives. */
  readonly checkout: string;
  /** Machines and artifacts. */
  readonly scratch: string;
  readonly env: Readonly<Record<string, string>>;
  /** Before a line of `run`, on the machine in this folder; `skip`: it is taken for done. */
  readonly beforeLine?: (line: string, machine: string) => "skip" | "run";
}

export interface JobOutcome {
  readonly status: "success" | "failure";
  readonly machine: string;
  readonly outputs: Readonly<Record<string, string>>;
  /** Names of the steps that did something. */
  readonly ran: readonly string[];
  readonly failedAt: string | null;
  /** Everything that was written by programs. */
  readonly log: string;
}

/** By name: `inputs`, `matrix`, `github`, `vars`, `secrets`, `steps`. */
export type Context = Readonly<Record<string, JsonObject>>;

export function runJob(
  world: WorkflowWorld,
  file: string,
  name: string,
  context: Context,
): JobOutcome {
  const workflow: unknown = load(readFileSync(join(ROOT, ".github/workflows", file), "utf8"));
  const jobs = isJsonObject(workflow) && isJsonObject(workflow.jobs) ? workflow.jobs : {};
  const job = jobs[name];
  if (!isJsonObject(job)) throw new Error(`${file}: no job ${name}`);
  return new JobRun(world, context).run(job);
}

class JobRun {
  readonly #world: WorkflowWorld;
  readonly #context: Context;
  readonly #machine: string;
  readonly #steps: Record<string, JsonObject> = {};
  readonly #ran: string[] = [];
  #log = "";

  constructor(world: WorkflowWorld, context: Context) {
    this.#world = world;
    this.#context = context;
    this.#machine = mkdtempSync(join(world.scratch, "machine-"));
    cpSync(world.checkout, this.#machine, { recursive: true, verbatimSymlinks: true });
  }

  run(job: JsonObject): JobOutcome {
    let failedAt: string | null = null;
    const steps = Array.isArray(job.steps) ? job.steps.filter((step) => isJsonObject(step)) : [];
    for (const step of steps) {
      if (!this.#isDue(step, failedAt !== null)) continue;
      const title = String(step.name ?? step.uses);
      if (!this.#step(step, title)) failedAt ??= title;
    }
    const outputs = isJsonObject(job.outputs) ? job.outputs : {};
    const told = Object.entries(outputs).map(([name, text]) => [name, this.#fill(String(text))]);
    return {
      status: failedAt === null ? "success" : "failure",
      ...{ machine: this.#machine, outputs: Object.fromEntries(told), ran: this.#ran },
      ...{ failedAt, log: this.#log },
    };
  }

  /** Without a word of its own a step runs as long as nothing has failed. */
  #isDue(step: JsonObject, hasFailed: boolean): boolean {
    const condition = String(step.if ?? "success()");
    if (condition.includes("!cancelled()")) return true;
    const [, path, wanted] = /^([\w.]+) == '(\w+)'$/.exec(condition) ?? [];
    return !hasFailed && (path === undefined || this.#value(path) === wanted);
  }

  #step(step: JsonObject, title: string): boolean {
    const inputs = isJsonObject(step.with) ? step.with : {};
    const [action] = String(step.uses ?? "").split("@");
    if (action === "actions/upload-artifact") return this.#upload(inputs, title);
    if (action === "actions/download-artifact") return this.#download(inputs, title);
    if (step.run === undefined) return true;
    const lines = String(step.run)
      .split("\n")
      .filter((line) => !/^(npm ci)?$/.test(line.trim()));
    const ok = lines.every((line) => this.#line(line, step, title));
    return ok;
  }

  #line(line: string, step: JsonObject, title: string): boolean {
    if (this.#world.beforeLine?.(line, this.#machine) === "skip") return true;
    const output = join(this.#machine, ".github-output");
    writeFileSync(output, "");
    const env = { ...this.#world.env, ...this.#settings(step.env), GITHUB_OUTPUT: output };
    const [program, ...words] = wordsOf(line.replace(/^exec /, ""), {
      ...env,
      GITHUB_STEP_SUMMARY: join(this.#machine, "summary.md"),
    });
    const done = spawnSync(join(this.#machine, program!), words, {
      ...{ cwd: this.#machine, encoding: "utf8", timeout: LINE_MS, env },
    });
    this.#log += `${done.stdout}${done.stderr}${done.error?.message ?? ""}`;
    this.#ran.push(title);
    const told = readFileSync(output, "utf8")
      .split("\n")
      .filter((one) => one.includes("="));
    if (step.id !== undefined)
      this.#steps[String(step.id)] = {
        outputs: Object.fromEntries(told.map((one) => one.split("=", 2))),
      };
    return done.status === 0;
  }

  #settings(env: Json | undefined): Record<string, string> {
    const pairs = isJsonObject(env) ? Object.entries(env) : [];
    const filled = pairs.map(([name, text]) => [name, this.#fill(String(text))] as const);
    // A choice between secrets is GitHub's to make: what the world says stays.
    return Object.fromEntries(filled.filter(([, text]) => !text.includes("$" + "{{")));
  }

  /** What is kept has the folders below what the paths have in common, or below the first star. */
  #upload(inputs: JsonObject, title: string): boolean {
    this.#ran.push(title);
    const lines = this.#fill(String(inputs.path))
      .trim()
      .split("\n")
      .map((line) => line.trim());
    const files = lines.flatMap((line) => expand(this.#machine, line));
    if (files.length === 0) return inputs["if-no-files-found"] === "ignore";
    const starred = lines.find((line) => line.includes("*"));
    const base = join(
      this.#machine,
      starred ? starred.slice(0, starred.indexOf("*")) : dirname(lines[0]!),
    );
    const place = join(this.#world.scratch, "artifacts", this.#fill(String(inputs.name)));
    const [only] = files;
    if (files.length === 1 && only && statSync(only).isDirectory()) {
      cpSync(only, place, { recursive: true });
      return true;
    }
    for (const file of files) {
      const hidden = basename(file).startsWith(".") && inputs["include-hidden-files"] !== true;
      if (!hidden) cpSync(file, join(place, relative(base, file)));
    }
    return true;
  }

  #download(inputs: JsonObject, title: string): boolean {
    this.#ran.push(title);
    const place = join(this.#world.scratch, "artifacts", this.#fill(String(inputs.name)));
    if (!existsSync(place)) return false;
    const target = join(this.#machine, this.#fill(String(inputs.path)));
    mkdirSync(target, { recursive: true });
    cpSync(place, target, { recursive: true });
    return true;
  }

  #fill(text: string): string {
    return text.replace(/\$\{\{ ([\w.-]+) \}\}/g, (_, path: string) => this.#value(path));
  }

  #value(path: string): string {
    const context: Json = { ...this.#context, steps: this.#steps };
    const found = path
      .split(".")
      .reduce<Json | undefined>((at, name) => (isJsonObject(at) ? at[name] : undefined), context);
    return found === undefined || found === null ? "" : String(found);
  }
}

/** One star at most, for a folder. */
function expand(machine: string, line: string): string[] {
  if (!line.includes("*")) return existsSync(join(machine, line)) ? [join(machine, line)] : [];
  const [before, after] = line.split("*") as [string, string];
  const folders = existsSync(join(machine, before)) ? readdirSync(join(machine, before)) : [];
  return folders
    .map((name) => join(machine, before, `${name}${after}`))
    .filter((file) => existsSync(file));
}

/** As a shell reads such a line: blanks part words, double quotes hold them together, variables are filled in. */
function wordsOf(line: string, env: Readonly<Record<string, string>>): string[] {
  const words = line.match(/(?:"[^"]*"|[^\s"])+/g) ?? [];
  return words.map((word) =>
    word.replaceAll('"', "").replace(/\$(\w+)/g, (_, name: string) => env[name] ?? ""),
  );
}
