/** Our own policies as a repository holds them: path from its root → text. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isPolicyFile } from "../../src/policy/files.js";

const ROOT = join(import.meta.dirname, "..", "..");

export function readPolicyFiles(): Record<string, string> {
  const below = readdirSync(join(ROOT, "policies"), { recursive: true, encoding: "utf8" });
  const paths = [...below.map((name) => `policies/${name}`), "runbooks/catalogue.yaml"];
  return Object.fromEntries(
    paths.filter(isPolicyFile).map((path) => [path, readFileSync(join(ROOT, path), "utf8")]),
  );
}
