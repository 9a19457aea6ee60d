/** Clients of the AWS SDK, made at their first use; every command of a runbook goes through `send`, and leaves a record. */
import { Fault, fault } from "../base/fault.js";
import type { AwsCallRecord, AwsPlace } from "../runbook/aws-port.js";
import { callAws, nameOf } from "./aws-faults.js";
import { boundsOf, type CallBounds, type Leased } from "./aws-lease.js";

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** When they end; absent: never. */
  readonly expiration?: Date;
}

/** How AWS is reached. */
export interface AwsAccess {
  readonly region: string;
  /** Null: AWS's own addresses. */
  readonly endpointUrl: string | null;
  /** By default those that the SDK finds: environment, profile, role. */
  readonly credentials?: AwsCredentials | (() => Promise<AwsCredentials>);
}

/** What a call stands on. */
export interface AwsGround extends Leased {
  readonly access: AwsAccess;
  /** By the policy in force. */
  readonly place: () => AwsPlace;
  /** Of the run: every call ends with it. */
  readonly signal: AbortSignal;
  /** Takes every call that was sent, also those that failed. Must not throw. */
  readonly onCall: (record: AwsCallRecord) => void;
  readonly clients: AwsClients;
}

/** What is asked of whom, in words for the record. */
export interface AwsAbout {
  /** `algobrain-prod/api`. */
  readonly target: string;
  /** A secret value is in the request or in the answer. */
  readonly isSecret?: boolean;
}

const SETTINGS_OF = (access: AwsAccess) => ({
  region: access.region,
  ...(access.endpointUrl === null ? {} : { endpoint: access.endpointUrl }),
  ...(access.credentials === undefined ? {} : { credentials: access.credentials }),
  // Whoever calls tries again: a hidden second try would outlive the deadline.
  maxAttempts: 1,
});
type Settings = ReturnType<typeof SETTINGS_OF>;

/** By the service's prefix of actions (IAM). Each takes a tenth of a second to load. */
const OPENERS = {
  ecs: async (s: Settings) => new (await import("@aws-sdk/client-ecs")).ECSClient(s),
  "application-autoscaling": async (s: Settings) =>
    new (await import("@aws-sdk/client-application-auto-scaling")).ApplicationAutoScalingClient(s),
  secretsmanager: async (s: Settings) =>
    new (await import("@aws-sdk/client-secrets-manager")).SecretsManagerClient(s),
  rds: async (s: Settings) => new (await import("@aws-sdk/client-rds")).RDSClient(s),
  elasticache: async (s: Settings) =>
    new (await import("@aws-sdk/client-elasticache")).ElastiCacheClient(s),
  cloudwatch: async (s: Settings) =>
    new (await import("@aws-sdk/client-cloudwatch")).CloudWatchClient(s),
  logs: async (s: Settings) =>
    new (await import("@aws-sdk/client-cloudwatch-logs")).CloudWatchLogsClient(s),
  cloudfront: async (s: Settings) =>
    new (await import("@aws-sdk/client-cloudfront")).CloudFrontClient(s),
  dynamodb: async (s: Settings) => new (await import("@aws-sdk/client-dynamodb")).DynamoDBClient(s),
  sts: async (s: Settings) => new (await import("@aws-sdk/client-sts")).STSClient(s),
  ecr: async (s: Settings) => new (await import("@aws-sdk/client-ecr")).ECRClient(s),
  // Stand-ins and emulators want the bucket in the path.
  s3: async (s: Settings) =>
    new (await import("@aws-sdk/client-s3")).S3Client({
      ...s,
      forcePathStyle: "endpoint" in s,
    }),
} as const;
export type AwsService = keyof typeof OPENERS;

interface AnyClient {
  send(command: never, options: { readonly abortSignal: AbortSignal }): Promise<unknown>;
  destroy(): void;
}

/** After credentials were found and the request was signed: nothing of ours comes later. */
const LAST_BEFORE_SENDING = { step: "deserialize", priority: "low", name: "lease" } as const;

/** A command of the SDK, of which only what it answers is of interest. */
export interface AwsCommand<Answer> {
  readonly input: object;
  readonly middlewareStack: {
    add(middleware: never, options: never): void;
  };
  resolveMiddleware(...from: never[]): (...args: never[]) => Promise<{ readonly output: Answer }>;
}

export class AwsClients {
  readonly #made = new Map<AwsService, Promise<AnyClient>>();

  constructor(readonly access: AwsAccess) {}

  get(service: AwsService): Promise<AnyClient> {
    // Called at once, what it gives would be one of twelve clients, each compared with each by the compiler.
    const open: (settings: Settings) => Promise<AnyClient> = OPENERS[service];
    const made = this.#made.get(service) ?? open(SETTINGS_OF(this.access));
    this.#made.set(service, made);
    return made;
  }

  /** Ends their connections: the credentials of a run are thrown away with it. */
  async close(): Promise<void> {
    for (const client of this.#made.values()) (await client).destroy();
    this.#made.clear();
  }
}

/** Throws a Fault as `callAws` does. */
export async function send<Answer>(
  ground: AwsGround,
  service: AwsService,
  command: AwsCommand<Answer>,
  about: AwsAbout,
): Promise<Answer> {
  const operation = command.constructor.name.replace(/Command$/, "");
  const keys = Object.keys(command.input);
  return record(ground, { service, operation, keys }, about, async (abortSignal, { confirm }) => {
    const client = await ground.clients.get(service);
    command.middlewareStack.add(confirming(confirm) as never, LAST_BEFORE_SENDING as never);
    return client.send(command as never, { abortSignal }) as Promise<Answer>;
  });
}

type Next = (args: unknown) => Promise<unknown>;

/** A middleware of the SDK. */
function confirming(confirm: () => void) {
  return (next: Next): Next =>
    async (args) => {
      confirm();
      return next(args);
    };
}

/** Also for what no client is taken for: see aws-query.ts. */
export async function record<Answer>(
  ground: AwsGround,
  call: Pick<AwsCallRecord, "service" | "operation" | "keys">,
  { target, isSecret = false }: AwsAbout,
  work: (signal: AbortSignal, bounds: CallBounds) => Promise<Answer>,
): Promise<Answer> {
  const { signal, onCall, clock } = ground;
  const action = `${call.service}:${call.operation}`;
  const bounds = await boundsOf(ground, action);
  const { timeoutMs } = bounds;
  const begun = clock.now().getTime();
  const note = (status: string, of: unknown) =>
    onCall({
      ...{ ...call, target, status },
      ms: clock.now().getTime() - begun,
      requestId: requestIdOf(of),
    });
  const about = { system: "AWS", subject: `${action} ${target}`, action, isSecret } as const;
  return callAws({ ...about, timeoutMs, signal }, async (abortSignal) => {
    try {
      const answer = await work(abortSignal, bounds);
      note("ok", answer);
      return answer;
    } catch (error) {
      // It was not sent.
      if (error instanceof Fault && error.code === "RUN_LOST") throw error;
      note(nameOf(error) || "Error", error);
      throw error;
    }
  });
}

function requestIdOf(of: unknown): string | null {
  const { $metadata } = Object(of) as { $metadata?: { requestId?: unknown } };
  return typeof $metadata?.requestId === "string" ? $metadata.requestId : null;
}

/** Pages at most of any list: more than that of ours there is not. */
const PAGES_MAX = 20;

/** All pages of a list; throws a data Fault when there are more than can be meant. */
export async function pages<Page, Item>(
  ask: (token: string | undefined) => Promise<Page>,
  read: (page: Page) => {
    readonly items: readonly Item[] | undefined;
    readonly next: string | undefined;
  },
  max = Number.POSITIVE_INFINITY,
): Promise<Item[]> {
  const all: Item[] = [];
  let token: string | undefined;
  for (let page = 0; page < PAGES_MAX; page++) {
    const { items, next } = read(await ask(token));
    all.push(...(items ?? []));
    if (next === undefined || next === "" || all.length >= max) return all.slice(0, max);
    token = next;
  }
  throw fault.data("AWS_ANSWER_TOO_LARGE", `found more than ${PAGES_MAX} pages of a list`, {
    hint: "ask for less: a narrower prefix, a shorter window",
  });
}
