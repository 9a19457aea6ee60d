/** What may be wrong with a repository, in the words of whoever must repair it. Trying again changes none of it. */
import { type Fault, fault } from "../base/fault.js";
import { ifAbsent } from "./if-absent.js";

export function unreadable(path: string, why: string, cause?: unknown): Fault {
  return fault.data(
    "GIT_REPOSITORY_UNREADABLE",
    `${path} cannot be read as a Git repository: ${why}`,
    { hint: "run `git fsck` there, or clone it again and index the folder once more", cause },
  );
}

/** For `catch`: `fallback` when nothing is at that path; what may not be read is a data fault. */
export function ifMissing<T>(path: string, fallback: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    try {
      return ifAbsent(fallback)(error);
    } catch {
      throw unreadable(path, error.message, error);
    }
  };
}

export function missing(path: string): Fault {
  return fault.data("GIT_REPOSITORY_MISSING", `there is no Git repository at ${path}`, {
    hint: "index the folder again: what is gone is then marked as archived",
  });
}

/** @param what which part of the repository */
export function outside(what: string, target: string, root: string): Fault {
  return fault.data(
    "GIT_OUTSIDE_ROOT",
    `${what} leads to ${target}, outside of the indexed folder ${root}`,
    { hint: "index a folder that holds both, or replace the repository by a clone of its own" },
  );
}

export function unknownFormat(path: string, why: string): Fault {
  return fault.data("GIT_FORMAT_UNKNOWN", `${path} cannot be read: ${why}`, {
    hint: "clone it again in the ordinary format (references in files, objects by sha1 or sha256), and index it",
  });
}
