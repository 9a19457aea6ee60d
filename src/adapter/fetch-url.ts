/** Whether git may be sent to an address that another system named. */
import { type Fault, fault } from "../base/fault.js";

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);
/** Letters that neither git, a configuration file nor a shell takes for anything else. */
const PATH = /^(?:\/[A-Za-z0-9_][A-Za-z0-9._-]*){2,10}$/;
/** git-check-ref-format(1), and no more than a file name may have. */
const BRANCH =
  /^(?!.*(?:\.\.|\/\/|@\{|\.lock(?:\/|$)|\/\.|\.$|\/$))[^\0-\x20\x7f~^:?*[\\\-/.][^\0-\x20\x7f~^:?*[\\]{0,250}$/;

/**
 * The host that clones come from: `https` anywhere, plain `http` only on this machine.
 * @throws refused `GIT_ORIGIN_REFUSED`
 */
export function fetchOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isOpen =
    url?.protocol === "https:" || (url?.protocol === "http:" && LOOPBACK.has(url.hostname));
  if (url !== null && isOpen) return url.origin;
  throw fault.refused("GIT_ORIGIN_REFUSED", `found "${text.slice(0, 200)}" as the host of clones`, {
    hint: "expected https://<host>, such as https://github.com",
  });
}

/** Throws a data fault `GIT_URL_REFUSED` for what is not a plain path on that very host. */
export function fetchUrl(cloneUrl: string, origin: string): URL {
  const url = URL.canParse(cloneUrl) ? new URL(cloneUrl) : null;
  const rest = url && url.username + url.password + url.search + url.hash;
  if (url !== null && rest === "" && url.origin === origin && PATH.test(url.pathname)) return url;
  throw refused(cloneUrl, `a path on ${origin}, without user, password or query`);
}

/** Throws a data fault `GIT_URL_REFUSED` for what git would not take as a branch, or would take for more. */
export function fetchBranch(branch: string): string {
  if (BRANCH.test(branch)) return branch;
  throw refused(branch, "the name of a branch");
}

function refused(found: string, expected: string): Fault {
  return fault.data("GIT_URL_REFUSED", `found "${found.slice(0, 200)}", expected ${expected}`, {
    hint: "look at what the host says of this repository; nothing was fetched",
  });
}
