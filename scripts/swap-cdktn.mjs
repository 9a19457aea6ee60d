// Would the stacks move to CDK Terrain, the successor of CDKTF, without a change? Installs it beside, in a
// folder of its own, points `#cdk` and `#aws/*` at it, synthesizes both, and names every line that differs.
// Expected: the version of the library, and the version of the provider. Needs the npm registry and about
// 550 MB once; nothing of the checkout is changed.
//
//   node scripts/build.mjs && node scripts/swap-cdktn.mjs [environment]     exit 1 when more differs
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
// Below node_modules, so that everything else is found where it is.
const beside = join(root, "node_modules", ".cache", "swap-cdktn");
const environment = process.argv[2] ?? "production";

/** Versions whose provider is the newest at the time of writing. */
const SUCCESSOR = { cdktn: "0.24.0", "@cdktn/provider-aws": "25.7.0", constructs: "10.7.2" };

/** What may differ, by path in the document. */
const EXPECTED = new Set(["//.metadata.version", "terraform.required_providers.aws.version"]);

function install() {
  mkdirSync(beside, { recursive: true });
  const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const imports = { "#cdk": "cdktn", "#aws/*": "@cdktn/provider-aws/lib/*/index.js" };
  const manifest = { name: own.name, version: own.version, private: true, type: own.type, imports };
  const text = JSON.stringify({ ...manifest, dependencies: SUCCESSOR });
  const target = join(beside, "package.json");
  if (existsSync(target) && readFileSync(target, "utf8") === text) return;
  writeFileSync(target, text);
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts"], {
    cwd: beside,
    stdio: ["ignore", "ignore", "inherit"],
  });
}

/** Output of the program in `folder`, by stack. */
function synthesize(folder, out) {
  rmSync(out, { recursive: true, force: true });
  const args = ["bin/algobrain.js", "synth", "--env", environment, "--out", out];
  execFileSync(process.execPath, args, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
  const names = readdirSync(join(out, "stacks")).sort();
  return new Map(
    names.map((name) => [
      name,
      JSON.parse(readFileSync(join(out, "stacks", name, "cdk.tf.json"), "utf8")),
    ]),
  );
}

/** Paths at which two values differ. */
function differences(before, after, path = "") {
  if (before === after) return [];
  const both = [before, after].every((value) => typeof value === "object" && value !== null);
  if (!both) return [{ path, before, after }];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) =>
    differences(before[key], after[key], path === "" ? key : `${path}.${key}`),
  );
}

install();
for (const folder of ["bin", "dist", "policies", "runbooks"])
  cpSync(join(root, folder), join(beside, folder), { recursive: true });
const ours = synthesize(root, join(beside, "out-cdktf"));
const theirs = synthesize(beside, join(beside, "out-cdktn"));
let unexpected = 0;
for (const name of new Set([...ours.keys(), ...theirs.keys()])) {
  for (const { path, before, after } of differences(ours.get(name) ?? {}, theirs.get(name) ?? {})) {
    const known = EXPECTED.has(path);
    if (!known) unexpected++;
    const texts = [before, after].map((value) => JSON.stringify(value));
    console.log(`${known ? "expected  " : "UNEXPECTED"} ${name}: ${path}: ${texts.join(" → ")}`);
  }
}
console.log(`${ours.size} stacks compared, ${unexpected} unexpected differences`);
if (unexpected > 0) process.exitCode = 1;
