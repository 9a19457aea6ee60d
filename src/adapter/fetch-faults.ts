/** What git says when it could not fetch, as a fault with what to do about it. */

import { MINUTE_MS } from "../base/duration.js";
import { type Fault, fault } from "../base/fault.js";
import type { ShellResult } from "../runbook/port.js";

/** A credential that was revoked is not replaced within seconds. */
const UNAUTHORIZED_RETRY_MS = 5 * MINUTE_MS;
const LIMITED_RETRY_MS = MINUTE_MS;

interface Complaint {
  readonly said: RegExp;
  readonly means: (name: string, sentence: string) => Fault;
}

/** git with LC_ALL=C; the numbers are those of HTTP, as curl and git's http.c word them. */
const COMPLAINTS: readonly Complaint[] = [
  {
    said: /error: 401\b|Authentication failed|could not read (?:Username|Password)/,
    means: (name, sentence) =>
      fault.waiting("GIT_FETCH_UNAUTHORIZED", `may not fetch ${name}: ${sentence}`, {
        retryAfterMs: UNAUTHORIZED_RETRY_MS,
        hint: "the token or the key of the app is no longer accepted: replace it",
      }),
  },
  {
    said: /error: 403\b/,
    means: (name, sentence) =>
      fault.data("GIT_FETCH_FORBIDDEN", `may not fetch ${name}: ${sentence}`, {
        hint: "give the app or the token read access to the contents of this repository, then retry the job",
      }),
  },
  {
    said: /error: 429\b/,
    means: (name, sentence) =>
      fault.waiting("GIT_FETCH_LIMITED", `may not fetch ${name} now: ${sentence}`, {
        retryAfterMs: LIMITED_RETRY_MS,
      }),
  },
  {
    said: /error: (?:404|410|451)\b|repository '.*' not found|Repository not found/,
    means: (name, sentence) =>
      fault.data("GIT_FETCH_GONE", `${name} cannot be fetched any more: ${sentence}`, {
        hint: "run sync for its organisation: what was deleted is then archived",
      }),
  },
  {
    said: /error: 30\d\b|redirect/i,
    means: (name, sentence) =>
      fault.transient("GIT_FETCH_MOVED", `${name} has moved: ${sentence}`, {
        hint: "run sync for its organisation: it learns the new address",
      }),
  },
  {
    said: /protocol error|bad pack|index-pack|bad object|did not send all|fsck|corrupt|not our ref/i,
    means: (name, sentence) =>
      fault.data(
        "GIT_FETCH_BROKEN",
        `what was sent for ${name} is no usable history: ${sentence}`,
        {
          hint: "try `git clone --filter=blob:none` by hand; if that fails too, tell the owner of the repository",
        },
      ),
  },
];

/** Unknown complaints are transient: retries are bounded, and then a person looks. */
export function fetchFault(name: string, { endedBy, exitCode, stderr }: ShellResult): Fault {
  if (endedBy !== "exit")
    return fault.transient("GIT_STOPPED", `fetching ${name} did not end by itself (${endedBy})`, {
      hint: "raise `repositories.fetch-timeout` in workload.yaml if the repository is that large",
    });
  if (exitCode === 127)
    return fault.transient("GIT_NOT_INSTALLED", "the program git was not found", {
      hint: "install git 2.35 or newer on the machine that runs the workers",
    });
  const sentence = sentenceOf(stderr) || `git ended with ${exitCode ?? "a signal"}`;
  const known = COMPLAINTS.find(({ said }) => said.test(stderr));
  if (known) return known.means(name, sentence);
  return fault.transient("GIT_FETCH_FAILED", `fetching ${name} failed: ${sentence}`);
}

/** The line that says why it ended; what the other side wrote (`remote:`) is no reason of ours. */
function sentenceOf(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("remote:"));
  const fatal = lines.find((line) => line.startsWith("fatal:")) ?? lines[0] ?? "";
  return fatal.slice(0, 200);
}
