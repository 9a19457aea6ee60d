/**
 * `bootstrap`: what must be in an AWS account before Terraform can run there: the bucket of its state and the roles that
 * workflows take. It looks, prints what it would do, asks, and does it; a second time there is nothing left to do.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { groundOf } from "../adapter/aws.js";
import { createIdentities, type Identities } from "../adapter/aws-foundation.js";
import { createStateBucket, type StateBucket } from "../adapter/aws-state-bucket.js";
import { systemClock } from "../base/clock.js";
import { fault } from "../base/fault.js";
import { isJsonObject, type JsonObject } from "../base/json.js";
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
      usage: "bootstrap [--env production] [--policies DIR] [--yes] [--dry-run]",
      does: "make the state's bucket and the workflows' roles in an AWS account; once, and again harmlessly",
    },
  ],
  async run(args, io) {
    const { values } = parseCommandLine(args, {
      ...POLICY_OPTIONS,
      yes: { type: "boolean" },
      "dry-run": { type: "boolean" },
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
    return carryThrough(
      wanted,
      place,
      { ask: !values.yes, dryRun: values["dry-run"] === true },
      io,
    );
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
  return { account, bucket: createStateBucket(access), identities, signal };
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
    case "attach":
      return identities.attach(step.role, step.arn);
  }
}
