/**
 * `bootstrap`: what must be in an AWS account before Terraform can run there: the bucket of its state and the roles that
 * workflows take. It looks, prints what it would do, asks, and does it; a second time there is nothing left to do.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { groundOf, readIdentity } from "../adapter/aws.js";
import { createIdentities, type Identities } from "../adapter/aws-foundation.js";
import { createStateBucket, type StateBucket } from "../adapter/aws-state-bucket.js";
import { systemClock } from "../base/clock.js";
import { fault } from "../base/fault.js";
import { isJsonObject, type JsonObject } from "../base/json.js";
import type { FoundResource } from "../review/infra/adopt.js";
import { estateOf } from "../review/infra/bootstrap-estate.js";
import {
  type BootstrapStep,
  describeStep,
  type Found,
  planBootstrap,
  policyArn,
  providerArn,
  readWanted,
  type Wanted,
} from "../review/infra/bootstrap-plan.js";
import { parseCommandLine } from "./arguments.js";
import { type Command, type CommandIo, EXIT_FAILED, EXIT_OK } from "./command.js";
import { POLICY_OPTIONS, policyOf } from "./infra/policy-of.js";
import { openConfig } from "./settings.js";
import { synthCommand } from "./synth.js";

const WHOLE_MS = 10 * 60_000;

export const bootstrapCommand: Command = {
  name: "bootstrap",
  forms: [
    {
      usage: "bootstrap [--env production] [--policies DIR] [--yes] [--dry-run] [--estate FILE]",
      does: "make the state's bucket and the workflows' roles in an AWS account; once, and again harmlessly",
    },
  ],
  async run(args, io) {
    const { values } = parseCommandLine(args, {
      ...POLICY_OPTIONS,
      yes: { type: "boolean" },
      "dry-run": { type: "boolean" },
      estate: { type: "string" },
    });
    const policy = await policyOf(values, io);
    if (policy === null) return EXIT_FAILED;
    const { account, region } = policy.infrastructure;
    if (account === null)
      throw fault.refused("ACCOUNT_UNKNOWN", `${values.env} names no account`, {
        hint: "set infrastructure.account in the policy of this environment",
      });
    const stack = await identityStack(values, io);
    const wanted = readWanted(stack, account, stateBucketOf(stack));
    const { aws } = await openConfig(io);
    const place = openPlace({ region, endpointUrl: aws.endpointUrl }, account);
    if (!(await areCredentialsOf(place, io))) return EXIT_FAILED;
    const how = { ask: !values.yes, dryRun: values["dry-run"] === true };
    const status = await carryThrough(wanted, place, how, io);
    if (status === EXIT_OK && !how.dryRun && values.estate !== undefined)
      await writeEstate(resolve(io.cwd, values.estate), estateOf(wanted, account), io);
    return status;
  },
};

/** As the stacks write it, so that Terraform finds later what it would have made itself. */
async function identityStack(
  { env, policies }: { readonly env: string; readonly policies: string },
  io: CommandIo,
): Promise<JsonObject> {
  const out = await mkdtemp(join(tmpdir(), "algobrain-bootstrap-"));
  try {
    const quiet = { ...io, out: () => {} };
    const status = await synthCommand.run(
      ["--env", env, "--policies", policies, "--out", out],
      quiet,
    );
    if (status !== EXIT_OK)
      throw fault.refused("STACK_INVALID", "the stacks could not be written: nothing was made");
    const file = join(out, "stacks", `algobrain-${env}-identity`, "cdk.tf.json");
    const document: unknown = JSON.parse(await readFile(file, "utf8"));
    if (!isJsonObject(document)) throw new Error(`${file} holds no JSON object`);
    return document;
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

/** The one that its own state goes to. */
function stateBucketOf({ terraform }: JsonObject): string {
  const backend = isJsonObject(terraform) ? terraform.backend : null;
  const s3 = isJsonObject(backend) ? backend.s3 : null;
  if (isJsonObject(s3) && typeof s3.bucket === "string") return s3.bucket;
  throw fault.refused("STATE_NOT_IN_S3", "this environment keeps its state in a file", {
    hint: "only staging and production are made in AWS",
  });
}

interface Place {
  readonly account: string;
  /** Whose credentials these are. */
  readonly caller: () => Promise<{ readonly account: string; readonly arn: string }>;
  readonly bucket: StateBucket;
  readonly identities: Identities;
  readonly signal: AbortSignal;
}

function openPlace(
  access: { readonly region: string; readonly endpointUrl: string | null },
  account: string,
): Place {
  const signal = AbortSignal.timeout(WHOLE_MS);
  const ground = groundOf({
    ...{ access, signal, clock: systemClock, onCall: () => {} },
    place: () => {
      throw new Error("nothing here asks for a place");
    },
  });
  const identities = createIdentities(ground);
  const caller = () => readIdentity(ground);
  return { account, caller, bucket: createStateBucket(access), identities, signal };
}

/** Before anything is looked at: a bucket that is made in the wrong account takes its name from the right one for good. */
async function areCredentialsOf({ account, caller }: Place, io: CommandIo): Promise<boolean> {
  const found = await caller();
  if (found.account === account) return true;
  io.err(`refused: these credentials are of account ${found.account} (${found.arn})`);
  io.err(`the policy of this environment names account ${account}: nothing was made`);
  return false;
}

/** For `infra adopt`: the stack of identities describes all of it, and would make it a second time. */
async function writeEstate(
  file: string,
  resources: readonly FoundResource[],
  io: CommandIo,
): Promise<void> {
  const listed = resources.map(({ name, ...rest }) => (name === null ? rest : { ...rest, name }));
  await writeFile(file, `${JSON.stringify({ resources: listed }, null, 2)}\n`);
  io.out(`${resources.length} things that Terraform is to take over are listed in ${file}`);
}

async function carryThrough(
  wanted: Wanted,
  place: Place,
  { ask, dryRun }: { readonly ask: boolean; readonly dryRun: boolean },
  io: CommandIo,
): Promise<number> {
  const { steps, refusals } = planBootstrap(wanted, await look(wanted, place));
  for (const refusal of refusals) io.err(`refused: ${refusal}`);
  if (refusals.length > 0) return EXIT_FAILED;
  if (steps.length === 0) io.out(`account ${place.account}: everything is there`);
  for (const step of steps) io.out(describeStep(step));
  if (steps.length === 0 || dryRun) return EXIT_OK;
  if (ask && !(await isAgreed(place.account, steps.length, io))) {
    io.err("nothing was made");
    return EXIT_FAILED;
  }
  for (const step of steps) {
    io.progress(describeStep(step));
    await carryOut(step, place);
  }
  io.out(`account ${place.account}: ${steps.length} steps done`);
  return EXIT_OK;
}

/** Who cannot be asked has not agreed. */
async function isAgreed(account: string, count: number, io: CommandIo): Promise<boolean> {
  const talk = io.terminal?.open();
  if (talk === undefined) {
    io.err("nobody is here to ask: --yes agrees to the steps above");
    return false;
  }
  try {
    return (await talk.ask(`Do these ${count} steps in account ${account}? (yes/no) `)) === "yes";
  } finally {
    talk.close();
  }
}

async function look(wanted: Wanted, place: Place): Promise<Found> {
  const { account, identities, bucket, signal } = place;
  const policies: Record<string, string | null> = {};
  for (const name of Object.keys(wanted.policies))
    policies[name] = await identities.policy(policyArn(account, name));
  const roles: Record<string, Awaited<ReturnType<Identities["role"]>>> = {};
  for (const { name } of wanted.roles) roles[name] = await identities.role(name);
  const host = wanted.provider?.host;
  return {
    bucket: await bucket.look(wanted.bucket, signal),
    provider: host === undefined ? null : await identities.provider(providerArn(account, host)),
    policies,
    roles,
  };
}

async function carryOut(step: BootstrapStep, place: Place): Promise<void> {
  const { account, bucket, identities, signal } = place;
  switch (step.act) {
    case "make-bucket":
      return bucket.make(step.bucket, signal);
    case "version":
      return bucket.version(step.bucket, signal);
    case "encrypt":
      return bucket.encrypt(step.bucket, signal);
    case "close":
      return bucket.close(step.bucket, signal);
    case "tls-only":
      return bucket.tlsOnly(step.bucket, signal);
    case "make-provider":
      return identities.makeProvider(step.host, step.audiences);
    case "add-audience":
      return identities.addAudience(providerArn(account, step.host), step.audience);
    case "make-policy":
      return identities.makePolicy(step.name, step.document);
    case "change-policy":
      return identities.changePolicy(policyArn(account, step.name), step.document);
    case "make-role":
      return identities.makeRole(step.role.name, step.role.trust, step.role.boundary);
    case "change-trust":
      return identities.changeTrust(step.role.name, step.role.trust);
    case "change-boundary":
      return identities.changeBoundary(step.role.name, step.role.boundary);
    case "put-inline":
      return identities.putInline(step.role, step.name, step.document);
    case "delete-inline":
      return identities.deleteInline(step.role, step.name);
    case "attach":
      return identities.attach(step.role, step.arn);
    case "detach":
      return identities.detach(step.role, step.arn);
  }
}
