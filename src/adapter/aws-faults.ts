/** What AWS's refusals mean. One service says 400 where another says 403, so their names are asked before the status. */
import { Fault, fault } from "../base/fault.js";
import {
  CREDENTIAL_RETRY_MS,
  faultOfFailure,
  faultOfStatus,
  RATE_LIMIT_DEFAULT_MS,
} from "./http.js";

export interface AwsCall {
  /** Prefix of fault codes: `AWS` for all that runbooks ask. */
  readonly system: "S3" | "KMS" | "AWS";
  /** What was asked, e.g. `the bundle`. */
  readonly subject: string;
  /** Milliseconds for the whole call. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** `ecs:UpdateService`: said to who may grant it. Without it the refusal is one of our set-up. */
  readonly action?: string;
  /** A secret is in the request: what AWS says of it may repeat it, so its words are not kept. */
  readonly isSecret?: boolean;
}

/** Calls with a deadline; `work` hands the signal to the SDK. Throws a Fault of the kind that the answer means. */
export async function callAws<T>(
  call: AwsCall,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = AbortSignal.timeout(call.timeoutMs);
  try {
    return await work(AbortSignal.any([call.signal, deadline]));
  } catch (error) {
    throw faultOfAws(call, deadline, error);
  }
}

const THROTTLED = /throttl|slowdown|toomanyrequests|limitexceeded/i;
const UNAUTHORIZED =
  /AccessDenied|UnauthorizedOperation|UnrecognizedClient|InvalidSignature|SignatureDoesNotMatch|InvalidAccessKeyId|ExpiredToken|InvalidClientTokenId/;
/** Every service has its own word for it. */
const NOT_FOUND = /NotFound|NoSuch|DoesNotExist|ClusterNotFound|TargetNotConnected/;
/** Before any call: the SDK has not found what it needs. */
const NOT_SET_UP = /CredentialsProviderError|Region is missing/;

const SET_UP_HINT =
  "set AWS_REGION, and give this process a role, a profile or keys (docs/operating.md)";

function faultOfAws(call: AwsCall, deadline: AbortSignal, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const { system, subject, signal, timeoutMs } = call;
  const name = nameOf(error);
  const status = statusOf(error);
  const details = { status, name };
  const cause = bareError(call, error);
  if (THROTTLED.test(name)) {
    return fault.waiting(`${system}_RATE_LIMITED`, "it asked us to slow down", {
      ...{ retryAfterMs: RATE_LIMIT_DEFAULT_MS, asksAll: true, details, cause },
    });
  }
  const waits = { retryAfterMs: CREDENTIAL_RETRY_MS, details, cause };
  if (NOT_SET_UP.test(`${name} ${String(error)}`))
    return fault.waiting(`${system}_UNAUTHORIZED`, `${subject} was not asked for: ${name}`, {
      ...{ ...waits, hint: SET_UP_HINT },
    });
  if (UNAUTHORIZED.test(name))
    return fault.waiting(`${system}_UNAUTHORIZED`, `it refused ${subject}: ${name}`, {
      ...{ ...waits, hint: grantHint(call) },
    });
  if (system === "AWS" && NOT_FOUND.test(name))
    return fault.refused("AWS_NOT_FOUND", `there is no ${subject}: ${wordsOf(call, error)}`, {
      ...{ details, cause, hint: "look at what there is: the name, the region and the account" },
    });
  const isWrong = system === "AWS" && status !== null && status >= 400 && status < 500;
  if (isWrong && status !== 429 && status !== 408)
    return fault.data("AWS_REFUSED", `it refused ${subject}: ${wordsOf(call, error)}`, {
      ...{ details, cause },
    });
  const headers = headersOf(error);
  const refusal = status === null ? null : faultOfStatus(system, { status, headers }, subject);
  return refusal ?? faultOfFailure({ system, timeoutMs, signal, deadline, error: cause });
}

/**
 * What is kept of an error. The SDK hangs the whole answer to its own, and to that the request with its headers: whoever
 * printed it would print the session's token.
 */
function bareError(call: AwsCall, error: unknown): Error {
  const { name, code } = Object(error) as { name?: unknown; code?: unknown };
  const message = error instanceof Error ? error.message : String(error);
  const bare = new Error(call.isSecret === true ? "its words are not kept" : message);
  if (typeof name === "string") bare.name = name;
  return typeof code === "string" ? Object.assign(bare, { code }) : bare;
}

function grantHint({ action }: AwsCall): string {
  if (action === undefined)
    return "set AWS_REGION, and give this process a role or keys that may do it (docs/operating.md)";
  return `let the role do ${action}, and name it in touches.aws of the runbook`;
}

/** Of AWS's own words; a longer text says no more. */
const WORDS_MAX = 300;

function wordsOf({ isSecret }: AwsCall, error: unknown): string {
  const name = nameOf(error);
  if (isSecret === true || !(error instanceof Error)) return name;
  return `${name}: ${error.message}`.slice(0, WORDS_MAX);
}

export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "";
}

/** Null when there was no answer. */
export function statusOf(error: unknown): number | null {
  const { $metadata } = error as { $metadata?: { httpStatusCode?: unknown } };
  const status = $metadata?.httpStatusCode;
  return typeof status === "number" ? status : null;
}

function headersOf(error: unknown): Headers {
  const { $response } = error as { $response?: { headers?: Record<string, string> } };
  return new Headers($response?.headers ?? {});
}
