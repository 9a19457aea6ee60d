/** A repository as GitHub's REST API writes it (docs.github.com/rest/repos/repos), read strictly: it becomes rows, and an address for git. */
import { fault } from "../base/fault.js";
import { isJsonObject, type JsonObject } from "../base/json.js";
import type { SourceRepo } from "../job/source-port.js";

/** Logins and organisations; enterprises add `_shortcode` (docs.github.com, "Username considerations for external authentication"). */
const OWNER = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;
const NAME = /^[A-Za-z0-9._-]{1,100}$/;
const BRANCH_MAX = 255;
const TIME_END_MS = Date.UTC(2200, 0);

/** Throws a data Fault: a name that could lead a request elsewhere (`..`) is none. */
export function checkOwner(owner: string): string {
  if (OWNER.test(owner)) return owner;
  throw fault.data("GITHUB_NAME_INVALID", `${shown(owner)} is no name of an owner on GitHub`, {
    hint: "give the login of an organisation or a user: letters, digits and hyphens",
  });
}

/** As `checkOwner`. */
export function checkName(name: string): string {
  if (isName(name)) return name;
  throw fault.data("GITHUB_NAME_INVALID", `${shown(name)} is no name of a repository on GitHub`, {
    hint: "give the name without its owner: letters, digits, hyphens, dots and underscores",
  });
}

/** `github.com`; of an Enterprise Server its own name; of data residency the name without `api.`. */
export function hostOf(apiUrl: string): string {
  const { host } = new URL(apiUrl);
  return host.replace(/^api\./, "");
}

/** Throws a data Fault `GITHUB_ANSWER_INVALID` that names the member. */
export function readRepo(value: unknown, apiUrl: string): SourceRepo {
  if (!isJsonObject(value)) throw invalid("the repository", "an object");
  const owner = isJsonObject(value.owner) ? value.owner.login : undefined;
  if (typeof owner !== "string" || !OWNER.test(owner)) throw invalid("owner.login", "a login");
  const { name } = value;
  if (typeof name !== "string" || !isName(name)) throw invalid("name", "a repository's name");
  return {
    host: hostOf(apiUrl),
    githubId: idOf(value.id),
    ...{ owner, name },
    cloneUrl: cloneUrlOf(value.clone_url, { owner, name, apiUrl }),
    defaultBranch: branchOf(value.default_branch),
    isPrivate: value.private === true,
    isFork: value.fork === true,
    isArchived: value.archived === true,
    isDisabled: value.disabled === true,
    sizeKb: Number.isSafeInteger(value.size) ? Math.max(0, Number(value.size)) : 0,
    // Null where nobody has pushed yet.
    pushedAt: value.pushed_at == null ? null : timeOf(value, "pushed_at"),
    updatedAt: timeOf(value, "updated_at"),
  };
}

function idOf(id: unknown): number {
  if (Number.isSafeInteger(id) && Number(id) > 0) return Number(id);
  throw invalid("id", "a positive number");
}

/** None in a repository without commits on some servers; git takes no name that begins with `-`. */
function branchOf(branch: unknown): string | null {
  if (typeof branch !== "string" || branch === "" || branch.length > BRANCH_MAX) return null;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what git refuses in a ref (git-check-ref-format)
  const isRef = !/^[-/]|[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|[./]$/.test(branch);
  return isRef ? branch : null;
}

/**
 * Made by us: our token goes with it, so it names the host that we know and nothing that the answer claims. A stand-in
 * on loopback serves git wherever it says.
 */
function cloneUrlOf(
  claimed: unknown,
  { owner, name, apiUrl }: { owner: string; name: string; apiUrl: string },
): string {
  const api = new URL(apiUrl);
  if (api.hostname !== "127.0.0.1") return `https://${hostOf(apiUrl)}/${owner}/${name}.git`;
  const url = typeof claimed === "string" && URL.canParse(claimed) ? new URL(claimed) : null;
  if (url?.hostname !== "127.0.0.1") return `${api.origin}/${owner}/${name}.git`;
  return `${url.origin}${url.pathname}`;
}

function timeOf(repo: JsonObject, member: "pushed_at" | "updated_at"): Date {
  const text = repo[member];
  const at = new Date(typeof text === "string" ? text : Number.NaN);
  // Not NaN either; the database would take other years than we do.
  if (!(at.getTime() >= 0 && at.getTime() < TIME_END_MS))
    throw invalid(member, "a time (ISO 8601)");
  return at;
}

function isName(name: string): boolean {
  return NAME.test(name) && name !== "." && name !== "..";
}

export function invalid(where: string, expected: string) {
  return fault.data("GITHUB_ANSWER_INVALID", `GitHub's answer: ${where} is not ${expected}`, {
    hint: "check that GITHUB_API_URL names a GitHub REST API of version 2022-11-28",
  });
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 60));
}
