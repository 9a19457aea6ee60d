/** AWS as it is met before there are services: by the task that prepares, and by the command that runs that task. */
import { groundOf } from "../adapter/aws.js";
import { createEcsReader } from "../adapter/aws-ecs.js";
import { createFirstSecrets, type FirstSecrets, runWhereTagged } from "../adapter/aws-first.js";
import { systemClock } from "../base/clock.js";
import type { PolicySet } from "../policy/policy.js";
import { type AwsEstate, awsEstate } from "../runbook/aws-place.js";
import type { TaskView } from "../runbook/aws-port.js";
import type { Config } from "../runtime/config.js";

export interface Preparation {
  readonly place: AwsEstate;
  readonly secrets: FirstSecrets;
  /** Starts the task that prepares; answers its id. */
  run(): Promise<string>;
  /** Null: gone, or not to be seen yet. */
  task(id: string): Promise<TaskView | null>;
  close(): Promise<void>;
}

/** As whoever has called it. Throws a refused Fault `AWS_NOT_CONFIGURED` where the policy names no account. */
export function openPreparation(
  policy: PolicySet,
  config: Config,
  signal: AbortSignal,
): Preparation {
  const place = awsEstate(policy, { queries: {}, distributionId: null });
  const access = { region: place.region, endpointUrl: config.aws.endpointUrl };
  const ground = groundOf({
    ...{ access, place: () => place, signal },
    ...{ clock: systemClock, onCall: () => {} },
  });
  return {
    place,
    secrets: createFirstSecrets(ground),
    run: () => runWhereTagged(ground, place.preparationFamily),
    task: createEcsReader(ground).task,
    close: () => ground.clients.close(),
  };
}
