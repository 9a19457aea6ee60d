/**
 * Which repository a folder is a copy of. Two clones of one remote are one repository; a repository
 * without a remote is its folder. Pure: texts in, texts out.
 */
import { createHash } from "node:crypto";

export interface RemoteName {
  /** `host/owner/name` without scheme, user, port of the scheme, or `.git`: equal for all ways to write it. */
  readonly canonical: string;
  readonly org: string | null;
  readonly name: string;
}

/** git@host:owner/name: the short form of ssh. */
const SCP_FORM = /^(?:[^/@]+@)?([^/:]+):(?!:|\/\/)(.+)$/;
const URL_FORM = /^(?:https?|ssh|git|git\+ssh):\/\/(?:[^/]*@)?([^/:]+)(?::(\d+))?\/(.+)$/i;
/** Hosts on which upper and lower case name the same repository. */
const CASELESS_HOSTS = new Set(["github.com", "gitlab.com", "bitbucket.org"]);
/** Longer than any that a host would take: a hostile repository must not keep us busy with its name. */
const REMOTE_CHARS_MAX = 2_048;
const PORTS_OF_SCHEMES = new Set(["22", "80", "443", "9418"]);

/** Null for a remote that is a folder of this machine, or no remote at all: only its path tells such a copy. */
export function parseRemote(remote: string | null): RemoteName | null {
  if (remote === null || remote.length > REMOTE_CHARS_MAX || /\p{Cc}/u.test(remote)) return null;
  const parts = splitRemote(remote.trim());
  if (parts === null) return null;
  const path = parts.path
    .replace(/\/+$/, "")
    .replace(/\.git$/i, "")
    .replace(/^\/+/, "");
  const segments = path.split("/").filter((segment) => segment !== "");
  const name = segments.at(-1);
  if (name === undefined) return null;
  const written = `${parts.host}/${segments.join("/")}`;
  return {
    canonical: CASELESS_HOSTS.has(parts.host) ? written.toLowerCase() : written,
    org: segments.length > 1 ? segments.slice(0, -1).join("/") : null,
    name,
  };
}

function splitRemote(remote: string): { host: string; path: string } | null {
  const url = URL_FORM.exec(remote);
  if (url) {
    const [, host = "", port, path = ""] = url;
    const place = port === undefined || PORTS_OF_SCHEMES.has(port) ? "" : `:${port}`;
    return { host: host.toLowerCase() + place, path };
  }
  const scp = SCP_FORM.exec(remote);
  // One letter before a colon is a drive, not a host.
  if (!scp?.[1] || !scp[2] || scp[1].length === 1) return null;
  return { host: scp[1].toLowerCase(), path: scp[2] };
}

/** The id of a row in `repos`: the same for each copy of one remote, and stable over renames of folders. */
export function repoId(source: { remote: string | null; path: string }): string {
  const remote = parseRemote(source.remote);
  return remote ? namedRepoId(remote.canonical) : digestId("repo", `path:${source.path}`);
}

/** Of a repository that is known by its name alone: see `RemoteName`. */
export function namedRepoId(canonical: string): string {
  return digestId("repo", `remote:${canonical}`);
}

/** A short text id: 64 bits of SHA-256 are no secret, only a name that does not collide by chance. */
export function digestId(prefix: string, text: string): string {
  return `${prefix}-${createHash("sha256").update(text).digest("hex").slice(0, 16)}`;
}
