/**
 * The environment, once, as typed values: HB-env-01…35 and the names of design section 6. All problems
 * at once; conflicts name both variables; unknown names near ours are warnings.
 */
import { HOUR_MS } from "../base/duration.js";
import { LOG_LEVELS, type LogLevel } from "../base/log.js";
import { PUBLIC_KINDS } from "../job/kinds.js";
import {
  type DatabaseConfig,
  ENVIRONMENTS,
  type Environment,
  type RedisConfig,
  readDatabase,
  readRedis,
} from "./data-config.js";
import { type ConfigProblem, type Env, EnvReader } from "./env-reader.js";
import {
  type GitHubApp,
  type OidcConfig,
  type PolicyTrust,
  readGitHubApp,
  readOidc,
  readPolicyTrust,
} from "./gitops-config.js";

export interface Config {
  readonly environment: Environment;
  /** Folder of what this machine keeps: embedded database, local secrets, journal. */
  readonly home: string;
  readonly logLevel: LogLevel;
  readonly http: {
    readonly host: string;
    readonly port: number;
    readonly rateLimitPerMinute: number;
    readonly corsOrigins: readonly string[];
  };
  readonly database: DatabaseConfig;
  /** Null: the cache is in memory. */
  readonly redis: RedisConfig | null;
  readonly orchestrator: {
    readonly pollIntervalMs: number;
    readonly maxConcurrentJobs: number;
  };
  readonly auth: {
    /** The first signs, all verify (design 8.9). Null only in local, until local secrets are made. */
    readonly jwtSecrets: readonly string[] | null;
  };
  readonly policySource:
    | { readonly kind: "directory"; readonly path: string }
    | { readonly kind: "s3"; readonly bucket: string; readonly key: string };
  readonly policyTrust: PolicyTrust;
  /** `owner/name`. */
  readonly gitopsRepo: string | null;
  readonly github: {
    /** Either this, or an app, or neither. */
    readonly token: string | null;
    readonly app: GitHubApp | null;
    /** Each is believed, so that a new one can be set on both sides without a gap. */
    readonly webhookSecrets: readonly string[];
    readonly apiUrl: string;
    /** File of the job's summary, inside a GitHub workflow. */
    readonly stepSummary: string | null;
  };
  /** Null: only our own tokens are believed. */
  readonly oidc: OidcConfig | null;
  readonly slack: {
    readonly botToken: string | null;
    readonly signingSecret: string | null;
    readonly appToken: string | null;
    readonly apiUrl: string | null;
  };
  readonly pagerduty: {
    readonly token: string | null;
    readonly routingKey: string | null;
    /** Any of them may have signed, while one is being replaced. */
    readonly webhookSecrets: readonly string[];
    readonly apiUrl: string | null;
    readonly eventsUrl: string | null;
  };
  /** Null: no mail is sent. */
  readonly mail: { readonly url: string; readonly from: string } | null;
  /** Of the Datadog agent; used only with `DATADOG_API_KEY`. */
  readonly dogstatsd: { readonly host: string; readonly port: number };
  readonly aws: {
    /** Null: Amazon's own addresses. */
    readonly endpointUrl: string | null;
    /** What a run works as, narrowed to what its runbook declares; null: as this process. */
    readonly executorRoleArn: string | null;
    /** What exports are written as, narrowed to their bucket; null: as this process. */
    readonly exportRoleArn: string | null;
  };
  /** Stops every runbook while it is there; null: `STOP` in the home. */
  readonly stopFile: string | null;
  /** Where is kept what comes in while the database is away; null: `journal` in the home. */
  readonly journalDir: string | null;
  /** Where heads of the audit chain are kept: a folder, or `s3://bucket/prefix`; null: `anchors` in the home. */
  readonly auditAnchor: string | null;
  /** That this program was built from; null: see runtime/commit.ts. */
  readonly commit: string | null;
  readonly datadogApiKey: string | null;
  readonly sentryDsn: string | null;
  /** What a set variable says against the policy: see `applyOverrides`. Null: the policy decides. */
  readonly overrides: {
    readonly healingEnabled: boolean | null;
    readonly concurrency: Readonly<Record<string, number>>;
    readonly poolSize: number | null;
    readonly region: string | null;
    readonly exportsBucket: string | null;
  };
  /** For `createRedact`: every secret that was read. */
  readonly secrets: readonly string[];
}

export type ReadConfig =
  | { readonly ok: true; readonly value: Config; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

const COUNT = { min: 1, max: 10_000 };
/** A worker process needs one session to listen, one to beat, and one to work. */
const POOL_SIZE = { min: 3, max: 10_000 };
const POLL_MS = { min: 10, max: HOUR_MS };
const HTTP_URL = ["https:", "http:"];
/** HS256 wants as many bytes as its digest has. */
const JWT_SECRET_LENGTH_MIN = 32;

/** Reads all of it, and never the process: the environment is an argument. */
export function readConfig(env: Env): ReadConfig {
  const reader = new EnvReader(env);
  const environment = reader.oneOf("ALGOBRAIN_ENV", ENVIRONMENTS) ?? "local";
  const config: Config = {
    environment,
    home: reader.text("ALGOBRAIN_HOME") ?? ".algobrain",
    logLevel: reader.oneOf("LOG_LEVEL", LOG_LEVELS) ?? "info",
    http: readHttp(reader),
    database: readDatabase(reader, environment),
    redis: readRedis(reader),
    orchestrator: {
      pollIntervalMs: reader.integer("ORCHESTRATOR_POLL_INTERVAL_MS", POLL_MS) ?? 5_000,
      maxConcurrentJobs: reader.integer("ORCHESTRATOR_MAX_CONCURRENT_JOBS", COUNT) ?? 100,
    },
    auth: { jwtSecrets: readJwtSecrets(reader, environment) },
    policySource: readPolicySource(reader),
    policyTrust: readPolicyTrust(reader),
    gitopsRepo: readRepository(reader),
    github: readGitHub(reader),
    oidc: readOidc(reader),
    slack: readSlack(reader),
    pagerduty: readPagerDuty(reader),
    mail: readMail(reader),
    dogstatsd: {
      host: reader.text("DD_AGENT_HOST") ?? "127.0.0.1",
      port: reader.integer("DD_DOGSTATSD_PORT", { min: 1, max: 65_535 }) ?? 8_125,
    },
    aws: {
      endpointUrl: readBaseUrl(reader, "AWS_ENDPOINT_URL"),
      executorRoleArn: readRoleArn(reader, "AWS_EXECUTOR_ROLE_ARN"),
      exportRoleArn: readRoleArn(reader, "EXPORT_AWS_ROLE_ARN"),
    },
    stopFile: reader.text("ALGOBRAIN_STOP_FILE"),
    journalDir: reader.text("ALGOBRAIN_JOURNAL"),
    auditAnchor: reader.text("AUDIT_ANCHOR"),
    commit: readCommitId(reader),
    datadogApiKey: reader.text("DATADOG_API_KEY"),
    sentryDsn: readSentryDsn(reader),
    overrides: readOverrides(reader),
    secrets: [],
  };
  if (reader.problems.length > 0) return { ok: false, problems: reader.problems };
  const value = freeze({ ...config, secrets: secretsOf(config) });
  return { ok: true, value, warnings: reader.strangers() };
}

function readHttp(reader: EnvReader): Config["http"] {
  const corsOrigins = reader.list("API_CORS_ORIGINS");
  for (const origin of corsOrigins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      reader.refuse("API_CORS_ORIGINS", origin, "an origin such as https://dashboard.example.com");
    }
  }
  return {
    host: reader.text("HOST") ?? "127.0.0.1",
    port: reader.integer("PORT", { min: 0, max: 65_535 }) ?? 3_001,
    rateLimitPerMinute: reader.integer("API_RATE_LIMIT_PER_MINUTE", COUNT) ?? 100,
    corsOrigins,
  };
}

/** An image has no Git: who builds it tells. */
function readCommitId(reader: EnvReader): string | null {
  const text = reader.text("ALGOBRAIN_COMMIT");
  if (text === null || /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(text)) return text;
  reader.refuse("ALGOBRAIN_COMMIT", text, "a commit's id of 40 hexadecimal digits");
  return null;
}

function readJwtSecrets(reader: EnvReader, environment: Environment): string[] | null {
  const secrets = reader.list("JWT_SECRET");
  if (environment === "local") return secrets.length === 0 ? null : secrets;
  if (secrets.length === 0) {
    reader.problem(["JWT_SECRET"], `JWT_SECRET must be set when ALGOBRAIN_ENV is ${environment}`);
  }
  if (secrets.some((secret) => secret.length < JWT_SECRET_LENGTH_MIN)) {
    const message = `JWT_SECRET: every secret in the list needs ${JWT_SECRET_LENGTH_MIN} characters or more`;
    reader.problem(["JWT_SECRET"], message);
  }
  return secrets;
}

function readPolicySource(reader: EnvReader): Config["policySource"] {
  const text = reader.text("POLICY_SOURCE") ?? "policies";
  if (!text.startsWith("s3://")) return { kind: "directory", path: text };
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(text) ?? [];
  if (bucket === undefined || key === undefined) {
    reader.refuse("POLICY_SOURCE", text, "a directory, or s3://bucket/key");
    return { kind: "directory", path: text };
  }
  return { kind: "s3", bucket, key };
}

function readRepository(reader: EnvReader): string | null {
  const text = reader.text("GITOPS_REPO");
  if (text !== null && !/^[\w.-]+\/[\w.-]+$/.test(text)) {
    reader.refuse("GITOPS_REPO", text, "owner/name");
  }
  return text;
}

function readRoleArn(reader: EnvReader, name: string): string | null {
  const text = reader.text(name);
  if (text !== null && !/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(text)) {
    reader.refuse(name, text, "arn:aws:iam::<account>:role/<name>");
  }
  return text;
}

function readGitHub(reader: EnvReader): Config["github"] {
  const token = reader.text("GITHUB_TOKEN");
  return {
    token,
    app: readGitHubApp(reader, token),
    webhookSecrets: reader.list("GITHUB_WEBHOOK_SECRET"),
    apiUrl: readBaseUrl(reader, "GITHUB_API_URL") ?? "https://api.github.com",
    stepSummary: reader.text("GITHUB_STEP_SUMMARY"),
  };
}

function readSlack(reader: EnvReader): Config["slack"] {
  return {
    botToken: reader.text("SLACK_BOT_TOKEN"),
    signingSecret: reader.text("SLACK_SIGNING_SECRET"),
    appToken: reader.text("SLACK_APP_TOKEN"),
    apiUrl: readBaseUrl(reader, "SLACK_API_URL"),
  };
}

function readPagerDuty(reader: EnvReader): Config["pagerduty"] {
  return {
    token: reader.text("PAGERDUTY_TOKEN"),
    routingKey: reader.text("PAGERDUTY_ROUTING_KEY"),
    webhookSecrets: reader.list("PAGERDUTY_WEBHOOK_SECRET"),
    apiUrl: readBaseUrl(reader, "PAGERDUTY_API_URL"),
    eventsUrl: readBaseUrl(reader, "PAGERDUTY_EVENTS_URL"),
  };
}

/** `https://key@host/project`. The key in it is a secret: what is wrong is not quoted. */
function readSentryDsn(reader: EnvReader): string | null {
  const url = reader.url("SENTRY_DSN", HTTP_URL);
  if (url === null) return null;
  if (url.username !== "" && /\/\d+$/.test(url.pathname)) return url.href;
  reader.problem(
    ["SENTRY_DSN"],
    "SENTRY_DSN: expected https://key@host/project, as Sentry shows it",
  );
  return null;
}

/** One without the other could send nothing. */
function readMail(reader: EnvReader): Config["mail"] {
  const url = reader.url("SMTP_URL", ["smtp:", "smtps:"]);
  const from = reader.text("SMTP_FROM");
  if (url !== null && from !== null) return { url: url.href, from };
  if (url === null && from === null) return null;
  const [has, lacks] = url === null ? ["SMTP_FROM", "SMTP_URL"] : ["SMTP_URL", "SMTP_FROM"];
  reader.problem(["SMTP_URL", "SMTP_FROM"], `${has} is set and ${lacks} is not: set both, or none`);
  return null;
}

/** Without a slash at its end, so that paths may be appended. */
function readBaseUrl(reader: EnvReader, name: string): string | null {
  return reader.url(name, HTTP_URL)?.href.replace(/\/+$/, "") ?? null;
}

function readOverrides(reader: EnvReader): Config["overrides"] {
  const concurrency: Record<string, number> = {};
  for (const kind of PUBLIC_KINDS) {
    const value = reader.integer(concurrencyName(kind), COUNT);
    if (value !== null) concurrency[kind] = value;
  }
  return {
    healingEnabled: reader.flag("HEALDEC_ENABLED"),
    concurrency,
    poolSize: reader.integer("DATABASE_POOL_SIZE", POOL_SIZE),
    region: reader.text("AWS_REGION"),
    exportsBucket: reader.text("S3_EXPORTS_BUCKET"),
  };
}

/** HB-env-12…23. */
export function concurrencyName(kind: string): string {
  return `WORKER_CONCURRENCY_${kind.toUpperCase()}`;
}

function secretsOf(config: Config): string[] {
  const { database, redis, mail } = config;
  const urls = [database.url, database.replicaUrl, redis?.url ?? null, mail?.url ?? null];
  return [
    ...urls.map((url) => (url === null ? "" : decodeURIComponent(new URL(url).password))),
    config.redis?.password,
    ...(config.auth.jwtSecrets ?? []),
    config.github.token,
    config.github.app?.privateKey,
    ...config.github.webhookSecrets,
    config.policyTrust.signingKey,
    config.slack.botToken,
    config.slack.signingSecret,
    config.slack.appToken,
    config.pagerduty.token,
    config.pagerduty.routingKey,
    ...config.pagerduty.webhookSecrets,
    config.datadogApiKey,
    config.sentryDsn,
  ].filter((secret): secret is string => typeof secret === "string" && secret !== "");
}

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}
