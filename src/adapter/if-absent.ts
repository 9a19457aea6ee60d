/** A file that is not there is an answer; whatever else keeps us from it is not. */

const ABSENT = new Set(["ENOENT", "ENOTDIR"]);

/** For `catch`: `fallback` when nothing is at that path, otherwise the error goes on. */
export function ifAbsent<T>(fallback: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code !== undefined && ABSENT.has(error.code)) return fallback;
    throw error;
  };
}
