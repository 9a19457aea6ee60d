/**
 * What one run may do in AWS: a session of the executor's role with the permissions that its runbook declares, thrown
 * away with the run. Every call that changes something is audited, without a value.
 */
import { errorMessage, fault } from "../../base/fault.js";
import type { Logger } from "../../base/log.js";
import {
  type AwsCallRecord,
  type AwsPlace,
  type AwsReader,
  type AwsWriter,
  isAwsRead,
  type OpenedAws,
} from "../../runbook/aws-port.js";
import type { Runbook } from "../../runbook/define.js";
import { type AwsPermission, sessionPolicy } from "../../runbook/power.js";
import type { Run } from "../../runbook/run.js";
import type { NewAuditEntry } from "../../store/audit.js";

/** `C`: credentials, which this room hands on and does not look at. */
export interface AwsSessionDeps<C> {
  /** By the policy in force. Throws a refused Fault where it names no account. */
  readonly place: () => AwsPlace;
  /** Of the executor (AWS_EXECUTOR_ROLE_ARN); null: a run has all that this process may. */
  readonly roleArn: string | null;
  /** Asks STS. */
  readonly assume: (
    request: { readonly roleArn: string; readonly name: string; readonly policy: string },
    signal: AbortSignal,
  ) => Promise<C>;
  /** Null: with this process's own. */
  readonly open: (
    credentials: C | null,
    signal: AbortSignal,
    onCall: (record: AwsCallRecord) => void,
  ) => Promise<{ readonly aws: AwsReader & AwsWriter; close(): Promise<void> }>;
  readonly audit: (entry: NewAuditEntry) => Promise<unknown>;
  readonly log: Logger;
}

/** Throws a Fault `SESSION_POLICY_INVALID` for what the runbook may not declare, and those of STS. */
export async function openAwsSession<C>(
  deps: AwsSessionDeps<C>,
  run: Pick<Run, "id" | "actor" | "dryRun">,
  runbook: Pick<Runbook, "name" | "danger" | "touches">,
  signal: AbortSignal,
): Promise<OpenedAws> {
  const place = deps.place();
  const permissions = filled(runbook.touches.aws ?? [], place)
    .map(({ actions, resources }) => ({ resources, actions: actions.filter(mayAsk(run, runbook)) }))
    .filter(({ actions }) => actions.length > 0);
  const policy = sessionPolicy({ database: [], aws: joined(withNeeds(permissions, place)) });
  if (policy === null) throw nothingDeclared(runbook.name);
  const credentials = await credentialsOf(deps, run.id, JSON.stringify(policy), signal);
  const trail = createTrail(deps, run);
  const { aws, close } = await deps.open(credentials, signal, trail.note);
  return {
    ...{ aws, enforced: credentials !== null },
    close: async () => {
      await close();
      await trail.written();
    },
  };
}

function nothingDeclared(name: string) {
  return fault.data(
    "SESSION_POLICY_INVALID",
    `touches.aws of ${name}: found no action that reads, expected one that its plan may use`,
  );
}

async function credentialsOf<C>(
  { roleArn, assume, log }: AwsSessionDeps<C>,
  name: string,
  policy: string,
  signal: AbortSignal,
): Promise<C | null> {
  if (roleArn !== null) return assume({ roleArn, name, policy }, signal);
  log.warn("aws.session-not-enforced", { run: name, missing: "AWS_EXECUTOR_ROLE_ARN" });
  return null;
}

const PLACES = ["account", "region", "cluster", "system", "environment", "secrets"] as const;

/** Throws a data Fault `SESSION_POLICY_INVALID` for braces with another word. */
export function filled(
  permissions: readonly AwsPermission[],
  place: AwsPlace,
): readonly AwsPermission[] {
  // The folder of this environment's secrets: `algobrain/prod`.
  const words = { ...place, secrets: place.secretOf("").replace(/\/$/, "") };
  const fill = (text: string) =>
    text.replace(/\{(\w*)\}/g, (braces, word: string) => {
      const known = PLACES.find((one) => one === word);
      if (known !== undefined) return words[known];
      throw fault.data(
        "SESSION_POLICY_INVALID",
        `touches.aws: found ${braces} in "${text}", expected one of {${PLACES.join("}, {")}}`,
      );
    });
  return permissions.map(({ actions, resources }) => ({ actions, resources: resources.map(fill) }));
}

/** Behind `probeTask`: the one task that a reading verb starts, with a command of its own that only looks. */
const PROBE = "ecs:RunTask";

/** A dry run and a runbook that only reads get nothing that changes, whatever is declared. */
function mayAsk(run: Pick<Run, "dryRun">, { danger }: Pick<Runbook, "danger">) {
  if (run.dryRun) return isAwsRead;
  if (danger !== "R") return () => true;
  return (action: string) => isAwsRead(action) || action === PROBE;
}

/** What AWS asks for besides, with the same session: a runbook cannot know it of an action that it declares. */
const NEEDS: readonly {
  readonly of: RegExp;
  readonly actions: readonly string[];
  readonly resource: string;
}[] = [
  {
    // "Granting a user permissions to pass a role to an AWS service" (IAM user guide).
    of: /^ecs:(RegisterTaskDefinition|RunTask|UpdateService)$/,
    actions: ["iam:PassRole"],
    resource: "arn:aws:iam::{account}:role/{system}-*",
  },
  {
    // A copy of a revision has its tags ("Grant permission to tag resources on creation", ECS developer guide).
    of: /^ecs:RegisterTaskDefinition$/,
    actions: ["ecs:TagResource"],
    resource: "arn:aws:ecs:{region}:{account}:task-definition/{system}-*",
  },
  {
    // "Secret encryption and decryption": with the caller's own rights (Secrets Manager user guide).
    of: /^secretsmanager:(CreateSecret|GetSecretValue|PutSecretValue)$/,
    actions: ["kms:Decrypt", "kms:GenerateDataKey"],
    resource: "arn:aws:kms:{region}:{account}:key/*",
  },
  {
    // Nobody writes down the id of a distribution: it is found by its name.
    of: /^cloudfront:(CreateInvalidation|GetInvalidation)$/,
    actions: ["cloudfront:ListDistributions"],
    resource: "*",
  },
];

function withNeeds(
  permissions: readonly AwsPermission[],
  place: AwsPlace,
): readonly AwsPermission[] {
  const asked = permissions.flatMap(({ actions }) => actions);
  const needed = NEEDS.filter(({ of }) => asked.some((action) => of.test(action)));
  const more = needed.map(({ actions, resource }) => ({ actions, resources: [resource] }));
  return [...permissions, ...filled(more, place)];
}

/** One statement for each set of resources: STS counts the characters of a session policy. */
function joined(permissions: readonly AwsPermission[]): readonly AwsPermission[] {
  const byResources = new Map<string, AwsPermission>();
  for (const { actions, resources } of permissions) {
    const key = [...resources].sort().join("\n");
    const all = [...(byResources.get(key)?.actions ?? []), ...actions];
    byResources.set(key, { resources, actions: [...new Set(all)] });
  }
  return [...byResources.values()];
}

/** Written in the order of the calls, and all of it before the run's session is closed. */
function createTrail(
  { audit, log }: Pick<AwsSessionDeps<unknown>, "audit" | "log">,
  { id, actor }: Pick<Run, "id" | "actor">,
) {
  let written: Promise<void> = Promise.resolve();
  const write = async (record: AwsCallRecord) => {
    try {
      await audit(entryOf(record, id, actor));
    } catch (error) {
      // What was done is done; that nobody can look it up is told where people look next.
      log.error("aws.call-not-audited", { run: id, ...record, error: errorMessage(error) });
    }
  };
  return {
    note: (record: AwsCallRecord): void => {
      if (isAwsRead(`${record.service}:${record.operation}`)) return;
      written = written.then(() => write(record));
    },
    written: () => written,
  };
}

function entryOf(record: AwsCallRecord, run: string, actor: string): NewAuditEntry {
  const { service, operation, target, keys, status, ms, requestId } = record;
  return {
    ...{ actor, action: "aws.called", target: `${service}:${operation} ${target}` },
    details: { run, keys: [...keys], status, ms, request_id: requestId },
  };
}
