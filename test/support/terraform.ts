/**
 * A folder in which the real Terraform plans and applies our stacks against the stand-in provider: no network, no
 * AWS, state and estate in files.
 */
import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createShell } from "../../src/adapter/shell.js";
import { createTerraform, type Terraform } from "../../src/adapter/terraform.js";
import { isJsonObject, type JsonObject } from "../../src/base/json.js";
import { LOG_DAYS } from "../../src/policy/aws-limits.js";
import { awsSchema } from "../../stacks/provider-schema.js";
import { IDENTITIES, REPLACES } from "./terraform-facts.js";

const SERVER = fileURLToPath(new URL("./terraform-provider/server.mjs", import.meta.url));
/** That of the bindings; the stacks demand exactly it. */
const PROVIDER_VERSION = "6.25.0";

export interface Estate {
  /** State of each resource by `type/import id`. */
  readonly resources: Record<string, JsonObject>;
  readonly counters: Record<string, number>;
  readonly failing: string[];
}

export interface StackFolder {
  readonly name: string;
  readonly folder: string;
}

export interface TerraformSandbox {
  readonly terraform: Terraform;
  /** What a Terraform of another process needs to find the stand-in provider, and where that is. */
  readonly environment: Readonly<Record<string, string>>;
  readonly pluginDir: string;
  /** Puts a stack's document into its folder, with its state in a file, ready to be planned. */
  place(name: string, document: JsonObject): Promise<StackFolder>;
  /** Takes the state away; what was applied stays in the estate. */
  forget(stack: StackFolder): Promise<void>;
  /** Text of the state, as it lies in the bucket. */
  readState(stack: string): Promise<string>;
  readEstate(): Promise<Estate>;
  /** Changes the cloud behind Terraform's back. */
  editEstate(edit: (estate: Estate) => void): Promise<void>;
  /** By type: where the making of one stands still until it is told otherwise; `lost`: it is made, and the answer says that it failed. */
  stopAt(stops: Readonly<Record<string, "before" | "after" | "lost">>): Promise<void>;
  /** Types that stood still, once for each time. */
  stopped(): Promise<readonly string[]>;
  remove(): Promise<void>;
}

/** `linux_amd64` of the terraform on this machine; null where there is none. */
export const terraformPlatform: string | null = findPlatform();

function findPlatform(): string | null {
  try {
    const answer = execFileSync("terraform", ["version", "-json"], {
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 60_000,
    });
    return String(JSON.parse(answer.toString()).platform);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    console.warn("NOT RUN: everything that needs terraform; there is none on the PATH");
    return null;
  }
}

export async function openTerraformSandbox(
  variables: Readonly<Record<string, string>> = {},
): Promise<TerraformSandbox> {
  const root = await mkdtemp(join(tmpdir(), "algobrain-terraform-"));
  const estateFile = join(root, "estate.json");
  const env = await providerEnvironment(root, estateFile);
  const terraform = createTerraform({
    shell: createShell({ redact: (text) => text, path: process.env.PATH }),
    signal: new AbortController().signal,
    env: { ...env, ...prefixed(variables) },
  });
  await makeMirror(root);
  const readEstate = async (): Promise<Estate> => JSON.parse(await readFile(estateFile, "utf8"));
  const pluginDir = join(root, "mirror");
  const placed = new Set<string>();
  return {
    terraform,
    environment: env,
    pluginDir,
    readEstate,
    place: async (name, document) => {
      const folder = join(root, name);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, "cdk.tf.json"), JSON.stringify(localize(document, root, name)));
      // Another configuration of the same stack needs no other provider.
      if (!placed.has(name)) await terraform.init(folder, { pluginDir });
      placed.add(name);
      return { name, folder };
    },
    readState: (name) => readFile(stateFile(root, name), "utf8"),
    forget: ({ name }) => rm(stateFile(root, name)),
    editEstate: async (edit) => {
      const estate = await readEstate();
      edit(estate);
      await replaceFile(estateFile, JSON.stringify(estate));
    },
    stopAt: (stops) => replaceFile(`${estateFile}.stops`, JSON.stringify(stops)),
    stopped: async () => {
      const text = await readFile(`${estateFile}.stopped`, "utf8").catch(() => ""); // nothing has stood still
      return text.split("\n").filter(Boolean);
    },
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

const EMPTY: Estate = { resources: {}, counters: {}, failing: [] };

/** Never half a file: a provider may be reading it. */
async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new-one`, text);
  await rename(`${path}.new-one`, path);
}

async function providerEnvironment(root: string, estateFile: string) {
  const facts = join(root, "facts.json");
  const known = { identities: IDENTITIES, replaces: REPLACES, logDays: LOG_DAYS };
  await writeFile(facts, JSON.stringify({ schema: awsSchema, ...known }));
  await writeFile(estateFile, JSON.stringify(EMPTY));
  // Settings of whoever runs the tests could name another provider.
  const settings = join(root, "terraform.rc");
  await writeFile(settings, "");
  return {
    ...{ TF_CLI_CONFIG_FILE: settings, TF_DISABLE_PLUGIN_TLS: "1" },
    ...{ STANDIN_FACTS: facts, STANDIN_ESTATE: estateFile },
  };
}

function prefixed(variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [`TF_VAR_${name}`, value]),
  );
}

/** Where `terraform init` finds the provider instead of a registry. */
async function makeMirror(root: string): Promise<void> {
  const place = `mirror/registry.terraform.io/hashicorp/aws/${PROVIDER_VERSION}`;
  const folder = join(root, place, terraformPlatform ?? "");
  const program = join(folder, `terraform-provider-aws_v${PROVIDER_VERSION}`);
  await mkdir(folder, { recursive: true });
  await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' '${SERVER}'\n`);
  await chmod(program, 0o755);
}

/** The same stack with its state, and those of the stacks it reads, in files of the sandbox. */
export function localize(document: JsonObject, root: string, name: string): JsonObject {
  const terraform = isJsonObject(document.terraform) ? document.terraform : {};
  const backend = { local: { path: stateFile(root, name) } };
  const local = { ...document, terraform: { ...terraform, backend } };
  const data = isJsonObject(document.data) ? document.data : {};
  if (!isJsonObject(data.terraform_remote_state)) return local;
  const prefix = name.slice(0, name.lastIndexOf("-"));
  const states = Object.keys(data.terraform_remote_state).map((part) => {
    const config = { path: stateFile(root, `${prefix}-${part}`) };
    return [part, { backend: "local", config }];
  });
  return { ...local, data: { ...data, terraform_remote_state: Object.fromEntries(states) } };
}

function stateFile(root: string, name: string): string {
  return join(root, `${name}.tfstate`);
}
