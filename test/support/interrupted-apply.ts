/**
 * The commands `infra plan`, `seal`, `apply`, `unlock` as processes of their own, with the real Terraform, the stand-in
 * provider, and the state in moto's S3 with its native lock, as in production: so that each of them can be killed.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MOTO_REGION, type Moto } from "./moto.js";
import type { TerraformSandbox } from "./terraform.js";
import { until } from "./until.js";
import { openWorkflowEstate } from "./workflow-estate.js";

const ENVIRONMENT = "staging";
const COMMAND_MS = 150_000;
const VARIABLES = {
  TF_VAR_image_tag: "0123456789abcdef0123456789abcdef01234567",
  TF_VAR_alarm_endpoint: "https://events.example.test/integration",
};

export interface Said {
  readonly code: number | null;
  readonly text: string;
}

export interface RunningApply {
  readonly process: ChildProcess;
  readonly ended: Promise<Said>;
  /** So far. */
  said(): string;
  /** Process ids of Terraform and of the provider that it has started. */
  terraform(): number;
  provider(): number;
}

export interface ApplyGround {
  readonly folder: string;
  /** `infra …` with the environment, on the stack `network`. */
  infra(...words: readonly string[]): Said;
  /** Plans and seals; throws when that does not work. */
  seal(): void;
  /** From a list of what exists. */
  adopt(list: string): Said;
  startApply(env?: Readonly<Record<string, string>>): RunningApply;
  remove(): void;
}

export async function openApplyGround(sandbox: TerraformSandbox, moto: Moto): Promise<ApplyGround> {
  const aws = {
    ...{ AWS_ENDPOINT_URL: moto.url, AWS_S3_USE_PATH_STYLE: "true", AWS_REGION: MOTO_REGION },
    ...{ AWS_ACCESS_KEY_ID: "testing", AWS_SECRET_ACCESS_KEY: "testing" },
  };
  const estate = openWorkflowEstate(sandbox, { ...VARIABLES, ...aws });
  const { checkout, world } = estate;
  const run = (words: readonly string[]): Said => {
    const done = spawnSync(join(checkout, "bin/algobrain.js"), words, {
      ...{ cwd: checkout, env: world.env, encoding: "utf8", timeout: COMMAND_MS },
    });
    return { code: done.status, text: `${done.stdout}${done.stderr}` };
  };
  must(run(["synth", "--env", ENVIRONMENT, "--out", "cdktf.out"]));
  const folder = join(checkout, `cdktf.out/stacks/algobrain-${ENVIRONMENT}-network`);
  const { bucket } = JSON.parse(readFileSync(join(folder, "cdk.tf.json"), "utf8")).terraform.backend
    .s3;
  await fetch(`${moto.url}/${bucket}`, { method: "PUT" });
  makeChain(join(folder, "cdk.tf.json"));
  const stack = ["--env", ENVIRONMENT, "--stack", "network"];
  return {
    folder,
    infra: (verb, ...words) => run(["infra", verb!, ...stack, ...words]),
    seal: () => {
      must(run(["infra", "plan", ...stack]));
      must(run(["infra", "seal", ...stack, "--dir", folder]));
    },
    adopt: (list) => run(["infra", "adopt", "--env", ENVIRONMENT, "--estate", list]),
    startApply: (env = {}) => {
      const words = ["infra", "apply", ...stack, "--dir", folder];
      const child = spawn(join(checkout, "bin/algobrain.js"), words, {
        ...{ cwd: checkout, env: { ...world.env, ...env }, stdio: ["ignore", "pipe", "pipe"] },
      });
      const output = collect(child);
      return {
        ...{ process: child, ended: output.ended, said: output.said },
        terraform: () => processIn(folder, "terraform"),
        provider: () => processIn(folder, "node"),
      };
    },
    remove: () => estate.remove(),
  };
}

/** Of the stack what is made one after the other, so that a test knows how far it has come: network, gateway, a thing with a name. */
function makeChain(file: string): void {
  const { output: _, data: __, ...document } = JSON.parse(readFileSync(file, "utf8"));
  const { aws_vpc, aws_internet_gateway } = document.resource;
  const [gateway] = Object.keys(aws_internet_gateway);
  const named = {
    ...{ name: "alias/algobrain-interrupted", target_key_id: "key-1" },
    depends_on: [`aws_internet_gateway.${gateway}`],
  };
  const resource = { aws_vpc, aws_internet_gateway, aws_kms_alias: { named } };
  writeFileSync(file, JSON.stringify({ ...document, resource }));
}

function must({ code, text }: Said): void {
  if (code !== 0) throw new Error(text);
}

function collect(child: ChildProcess): Pick<RunningApply, "ended" | "said"> {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8");
    stream?.on("data", (chunk: string) => {
      text += chunk;
    });
  }
  const ended = new Promise<Said>((resolve) => {
    child.on("close", (code) => resolve({ code, text }));
  });
  return { ended, said: () => text };
}

/** The newest process of that name in the folder. Throws when there is none. */
function processIn(folder: string, name: string): number {
  const found = processesIn(folder, name).at(-1);
  if (found === undefined) throw new Error(`no ${name} works in ${folder}`);
  return found;
}

function processesIn(folder: string, name: string): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .map(Number)
    .filter((pid) => isIn(pid, folder, name))
    .sort((a, b) => a - b);
}

function isIn(pid: number, folder: string, name: string): boolean {
  try {
    const program = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
    return program === name && readlinkSync(`/proc/${pid}/cwd`) === folder;
  } catch {
    return false; // it has ended meanwhile
  }
}

/** Resolves when nothing of that apply works any more. */
export async function untilGone({ folder }: ApplyGround): Promise<void> {
  const isGone = () =>
    processesIn(folder, "terraform").length + processesIn(folder, "node").length === 0;
  await until(isGone, `nothing works in ${folder}`);
}
