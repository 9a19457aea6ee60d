/**
 * A stand-in for AWS where an emulator cannot show what has to be seen: sessions that are held to their policy, slow
 * deployments, a breaker that takes one back, throttling, answers that are lost. It speaks the services' own protocols.
 */
import { AwsRefusal, type AwsRequest } from "./aws-answer.js";
import { StandInEcs } from "./aws-ecs.js";
import { answerTable, StandInSecrets } from "./aws-secrets.js";
import {
  jsonBody,
  type Loopback,
  type LoopbackAnswer,
  type LoopbackRequest,
  startLoopback,
} from "./loopback.js";

export interface Session {
  readonly roleArn: string;
  readonly name: string;
  /** As it was asked for. */
  readonly policy: string;
  /** Seconds, as they were asked for. */
  readonly duration: number;
}

export interface StandInAws extends Pick<Loopback, "url" | "misbehave" | "close"> {
  readonly ecs: StandInEcs;
  readonly secrets: StandInSecrets;
  /** By access key. */
  readonly sessions: ReadonlyMap<string, Session>;
  /** `ecs:UpdateService`, in order, also those that were refused. */
  readonly asked: readonly string[];
  /** The same of whoever asked with this access key. */
  askedBy(key: string): readonly string[];
}

/** By what stands before the dot of `x-amz-target`. */
const TARGETS: Readonly<Record<string, string>> = {
  AmazonEC2ContainerServiceV20141113: "ecs",
  secretsmanager: "secretsmanager",
  DynamoDB_20120810: "dynamodb",
  Logs_20140328: "logs",
};

export async function startStandInAws(): Promise<StandInAws> {
  const ecs = new StandInEcs();
  const secrets = new StandInSecrets();
  const sessions = new Map<string, Session>();
  const asked: string[] = [];
  const askers: string[] = [];
  const table = new Map<string, unknown>();
  const answer = (request: AwsRequest): unknown => {
    if (request.service === "ecs") return ecs.answer(request);
    if (request.service === "secretsmanager") return secrets.answer(request);
    // A query that never ends.
    if (request.service === "logs") return { queryId: "query-1", status: "Running", results: [] };
    return answerTable(table, request);
  };
  const { url, misbehave, close } = await startLoopback((incoming) => {
    const request = requestOf(incoming);
    if (request === null) return refusal(new AwsRefusal("UnknownOperationException"));
    const action = `${request.service}:${request.operation}`;
    asked.push(action);
    askers.push(keyOf(incoming) ?? "");
    try {
      authorize(sessions, incoming, action);
      if (request.service === "sts") return answerSts(sessions, request);
      return { status: 200, headers: JSON_TYPE, body: answer(request) };
    } catch (error) {
      if (error instanceof AwsRefusal) return refusal(error);
      throw error;
    }
  });
  const askedBy = (key: string) => asked.filter((_, at) => askers[at] === key);
  return { url, misbehave, close, ecs, secrets, sessions, asked, askedBy };
}

const JSON_TYPE = { "content-type": "application/x-amz-json-1.1" };
const XML_TYPE = { "content-type": "text/xml" };

function refusal({ name, message, status }: AwsRefusal): LoopbackAnswer {
  return { status, headers: JSON_TYPE, body: { __type: name, message } };
}

/** JSON is named by a header, Query by a field of its form. */
function requestOf(incoming: LoopbackRequest): AwsRequest | null {
  const [target = "", operation] = String(incoming.headers["x-amz-target"] ?? "").split(".");
  const service = TARGETS[target];
  if (service !== undefined && operation !== undefined)
    return { service, operation, body: jsonBody(incoming) ?? {} };
  const form = new URLSearchParams(incoming.body);
  const action = form.get("Action");
  if (action === null) return null;
  return { service: "sts", operation: action, body: Object.fromEntries(form) };
}

/** Keys of a session may do what its policy names; all others may do everything. */
function authorize(
  sessions: ReadonlyMap<string, Session>,
  incoming: LoopbackRequest,
  action: string,
): void {
  const key = keyOf(incoming);
  if (key === undefined) throw new AwsRefusal("UnrecognizedClientException");
  const session = sessions.get(key);
  if (session === undefined) return;
  const { Statement } = JSON.parse(session.policy) as { Statement: { Action: string[] }[] };
  const allowed = Statement.flatMap(({ Action }) => Action);
  const isAllowed = allowed.some((one) =>
    one.endsWith("*") ? action.startsWith(one.slice(0, -1)) : action === one,
  );
  if (!isAllowed)
    throw new AwsRefusal("AccessDeniedException", `${session.name} may not ${action}`);
}

function keyOf({ headers }: LoopbackRequest): string | undefined {
  return /Credential=([^/]+)\//.exec(headers.authorization ?? "")?.[1];
}

function answerSts(
  sessions: Map<string, Session>,
  { operation, body }: AwsRequest,
): LoopbackAnswer {
  if (operation !== "AssumeRole") throw new AwsRefusal("InvalidAction");
  const key = `ASIA${String(sessions.size + 1).padStart(16, "0")}`;
  const roleArn = String(body.RoleArn);
  const duration = Number(body.DurationSeconds);
  // AssumeRole takes no less, whatever the role's own maximum is.
  if (!(duration >= 900 && duration <= 43_200)) throw new AwsRefusal("ValidationError");
  const name = String(body.RoleSessionName);
  sessions.set(key, { roleArn, name, policy: String(body.Policy), duration });
  const credentials = [
    `<AccessKeyId>${key}</AccessKeyId>`,
    "<SecretAccessKey>the-secret-of-a-session</SecretAccessKey>",
    "<SessionToken>the-token-of-a-session</SessionToken>",
    "<Expiration>2100-01-01T00:00:00Z</Expiration>",
  ].join("");
  const result = `<Credentials>${credentials}</Credentials>`;
  return {
    ...{ status: 200, headers: XML_TYPE },
    body: `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>${result}</AssumeRoleResult></AssumeRoleResponse>`,
  };
}
