/** The environments that a folder of policies has: `local`, and one for each file in `environments/`. */
import { roleOf } from "../../policy/files.js";
import type { SourceFile } from "../../policy/source.js";

/** `local` first, the others by name. */
export function environmentsIn(files: readonly SourceFile[]): string[] {
  const overlays = files.flatMap(({ path }) => {
    const role = roleOf(path);
    return role.kind === "overlay" ? [role.environment] : [];
  });
  return ["local", ...[...new Set(overlays)].sort()];
}
