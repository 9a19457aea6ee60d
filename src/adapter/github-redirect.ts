/** Where GitHub sends us on: a repository that was renamed, and the next page. Never to another host, which would get our token. */

import type { Fault } from "../base/fault.js";
import { fault } from "../base/fault.js";

/** 302 leads to archives elsewhere and is never followed (docs.github.com/rest, "Best practices: follow redirects"). */
const MOVED = [301, 307, 308];
/** A renamed or transferred repository by its id, and what lies below it. */
const BY_ID = /^\/repositories\/\d{1,15}(\/[\w./-]*)?$/;
const ADDRESS_MAX = 2_000;

/** The final address of a repository that has another name now; null: it is to be taken for a refusal. */
export function renamedTo(
  apiUrl: string,
  asked: { readonly method: string; readonly url: string },
  answer: { readonly status: number; readonly headers: Headers },
): string | null {
  if (asked.method !== "GET" || !MOVED.includes(answer.status)) return null;
  const path = pathWithin(apiUrl, answer.headers.get("location") ?? "", asked.url);
  if (path === null || !BY_ID.test(path.pathname)) return null;
  return path.href;
}

/** Of the `Link` header (RFC 8288): the address of the next page; null: there is none. Throws a data Fault for one that is not ours to call. */
export function nextPage(apiUrl: string, link: string | null): string | null {
  const [, address] = /<([^<>]*)>\s*;\s*rel="?next"?/i.exec(link ?? "") ?? [];
  if (address === undefined) return null;
  return pageWithin(apiUrl, address);
}

/** A page as an earlier answer named it, checked again: it may come from a row. */
export function pageWithin(apiUrl: string, address: string): string {
  const found = pathWithin(apiUrl, address, apiUrl);
  if (found === null) throw elsewhere();
  return found.href;
}

/** `pathname` is that below the API's own address, which is `/api/v3` on an Enterprise Server. */
function pathWithin(
  apiUrl: string,
  address: string,
  base: string,
): { readonly pathname: string; readonly href: string } | null {
  if (address.length === 0 || address.length > ADDRESS_MAX || !URL.canParse(address, base)) {
    return null;
  }
  const api = new URL(apiUrl);
  const root = api.pathname.replace(/\/+$/, "");
  const { origin, pathname, username, password, href } = new URL(address, base);
  if (origin !== api.origin || username !== "" || password !== "") return null;
  return pathname.startsWith(`${root}/`) ? { pathname: pathname.slice(root.length), href } : null;
}

function elsewhere(): Fault {
  return fault.data(
    "GITHUB_REDIRECTED",
    "GitHub names a next page that is not below GITHUB_API_URL",
    {
      hint: "set GITHUB_API_URL to the final address: our token is sent nowhere else",
    },
  );
}
