/** What Terraform complained of, in few lines without its excerpts: those quote the configuration, and may quote values. */

const LINES_MAX = 20;
const LINE_MAX = 300;
/** A frame, the summary behind `Error:`, and the two kinds of lines that say where. */
const FRAME = /^[\s│╷╵]+/;
const SUMMARY = /^Error: /;
const PLACE = /^(on \S+ line \d+|with \S+)/;
/** Of `terraform_remote_state` when the stack that it reads has no state yet, and when that state lacks an output. */
const NOT_YET = /Unable to find remote state|No stored state was found|Unsupported attribute/;

/**
 * Words of AWS for a thing that is there already (`EntityAlreadyExists`, `InvalidGroup.Duplicate`, `BucketAlreadyOwnedByYou`,
 * ECS: `Creation of service was not idempotent`).
 */
const EXISTS = /already ?exists|exists already|AlreadyOwned|\bDuplicate|not idempotent/i;
const ADDRESS = /^with ([^,]+),/;

/** Never empty. Longer complaints are cut, and the cut is said. */
export function terraformComplaint(message: string): string[] {
  const lines = message.split("\n").map((line) => line.replace(FRAME, "").trimEnd());
  const telling = lines.filter((line) => SUMMARY.test(line) || PLACE.test(line));
  const shown = telling.slice(0, LINES_MAX).map((line) => line.slice(0, LINE_MAX));
  if (shown.length === 0) return ["Error: terraform failed, and said nothing that names a place"];
  const more = telling.length - shown.length;
  return more > 0 ? [...shown, `and ${more} lines more`] : shown;
}

/** Addresses of what AWS would not make because it is there; `unknown` where Terraform names none. */
export function existingAlready(message: string): string[] {
  return message
    .split(/^(?=Error: )/m)
    .filter((complaint) => complaint.startsWith("Error: ") && EXISTS.test(complaint))
    .map((complaint) => {
      const lines = complaint.split("\n").map((line) => line.replace(FRAME, ""));
      return lines.flatMap((line) => ADDRESS.exec(line)?.[1] ?? [])[0] ?? "unknown";
    });
}

/** The stacks before it were never applied, or not since they tell what this one reads: nothing is wrong with it. */
export function waitsForOthers(message: string): boolean {
  return NOT_YET.test(message) && /terraform_remote_state/.test(message);
}
